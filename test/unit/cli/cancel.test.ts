import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { waitFor } from '../../../src/process/wait.ts'
import { repository, testHost } from '../../support/test-host.ts'

/** `doctor` against a docker that never answers and does not listen to SIGTERM. */
async function hangingDoctor() {
  const root = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-'))
  const pidFile = path.join(root, 'pid')
  const script = `#!/bin/sh\ntrap '' TERM\necho $$ > ${pidFile}.new\nmv ${pidFile}.new ${pidFile}\nwhile :; do sleep 0.05; done\n`
  writeFileSync(path.join(root, 'docker'), script, { mode: 0o755 })
  const args = [path.join(repository, 'src/cli/main.ts'), 'doctor', '--image-source', 'registry']
  const env = { HOME: root, PATH: `${root}:${process.env['PATH']}`, TMPDIR: root }
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString()
  })
  const code = new Promise<number | null>((resolve) => child.on('close', resolve))
  const said = (text: string) =>
    waitFor(testHost(), text, async () => log, {
      done: (all) => all.includes(text),
      explain: String,
      timeoutMs: 20_000,
    })
  const pid = await waitFor(testHost(), 'docker', async () => Number(readFileSync(pidFile, 'utf8')), {
    done: (found) => found > 0,
    explain: () => 'it has not started',
    timeoutMs: 20_000,
  })
  return { child, code, said, pid }
}

const runs = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

it('leaves no program running when it is told twice to stop', async () => {
  const { child, code, said, pid } = await hangingDoctor()
  expect(runs(pid)).toBe(true)
  child.kill('SIGINT')
  await said('once more to stop at once')
  child.kill('SIGINT')
  expect(await code).toBe(130)
  const gone = await waitFor(testHost(), 'end of docker', async () => runs(pid), {
    done: (alive) => !alive,
    explain: () => 'it runs',
    timeoutMs: 5_000,
  })
  expect(gone).toBe(false)
})

it('ends with 130 after one signal, also where the command itself goes on', async () => {
  const { child, code, pid } = await hangingDoctor()
  child.kill('SIGTERM')
  expect(await code).toBe(130)
  expect(runs(pid)).toBe(false)
})
