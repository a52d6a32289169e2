import { expect, it } from 'vitest'
import { abortableHost } from '../../../src/process/abortable-host.ts'
import { testHost } from '../../support/test-host.ts'

it('ends programs that were started through it, also those given a signal of their own', async () => {
  const giveUp = new AbortController()
  const host = testHost()
  const inner = abortableHost(host, giveUp.signal)
  const running = Promise.allSettled([
    inner.exec.run('sleep', ['60']),
    inner.exec.run('sleep', ['60'], { signal: new AbortController().signal }),
  ])
  giveUp.abort(new Error('the app failed'))
  for (const run of await running) expect(run).toMatchObject({ reason: { killedBy: 'cancellation' } })
  expect(inner.signal.aborted).toBe(true)
  expect(host.signal.aborted).toBe(false)
  await expect(host.exec.run('true', [])).resolves.toMatchObject({ exitCode: 0 })
})

it('goes on obeying the host itself', () => {
  const cancel = new AbortController()
  const inner = abortableHost(testHost({ signal: cancel.signal }), new AbortController().signal)
  cancel.abort()
  expect(inner.signal.aborted).toBe(true)
})
