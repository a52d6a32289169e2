import { expect, it } from 'vitest'
import { createExec } from '../../../src/process/exec.ts'
import { endPrograms, trackExec } from '../../../src/process/tracked-exec.ts'
import { testHost } from '../../support/test-host.ts'

const node = process.execPath

/** A program that does not end by itself, and the exec that runs it; resolves when it is up. */
async function started(script: string) {
  const cancel = new AbortController()
  const exec = trackExec(createExec({ ...testHost(), signal: cancel.signal }))
  const up = Promise.withResolvers<void>()
  const run = exec.run(node, ['-e', `${script}; setInterval(() => {}, 1000); console.log('up')`], {
    onLine: () => up.resolve(),
  })
  const ended = run.catch((error: unknown) => error)
  await up.promise
  return { cancel, exec, ended }
}

it('ends what nobody waits for', async () => {
  const { cancel, exec, ended } = await started('')
  await endPrograms(exec, cancel)
  expect(await ended).toMatchObject({ killedBy: 'cancellation' })
})

it('kills at once what does not listen, and spares what did not go through it', async () => {
  const { exec, ended } = await started("process.on('SIGTERM', () => {})")
  const other = await started('')
  exec.kill()
  expect(await ended).toMatchObject({ killedBy: 'SIGKILL' })
  expect(await Promise.race([other.ended, new Promise((resolve) => setImmediate(resolve, 'runs'))])).toBe('runs')
  await endPrograms(other.exec, other.cancel)
})

it('has nothing to wait for when nothing runs', async () => {
  const exec = trackExec(testHost().exec)
  await exec.run(node, ['-e', ''])
  await exec.idle()
  exec.kill()
})
