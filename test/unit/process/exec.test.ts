import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CommandError } from '../../../src/process/errors.ts'
import { renderCommand } from '../../../src/process/exec.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'

const node = process.execPath

describe('exec', () => {
  it('gives output, exit code and whole lines, and passes arguments untouched by any shell', async () => {
    const lines: string[] = []
    const hostile = '$(touch /tmp/owned); `id` "quoted" \n second'
    const result = await testHost().exec.run(
      node,
      ['-e', 'console.log(JSON.stringify(process.argv[1])); console.error("one\\ntwo")', hostile],
      {
        onLine: (line, stream) => lines.push(`${stream}:${line}`),
      },
    )
    expect(JSON.parse(result.stdout)).toBe(hostile)
    expect(result.exitCode).toBe(0)
    expect(lines).toContain('stderr:one')
    expect(lines).toContain('stderr:two')
  })

  it('feeds stdin, so that secrets need not be arguments', async () => {
    const result = await testHost().exec.run(node, ['-e', 'process.stdin.pipe(process.stdout)'], { input: 's3cret' })
    expect(result.stdout).toBe('s3cret')
  })

  it('rejects with the command, the code and the last line of stderr', async () => {
    const run = testHost().exec.run(node, ['-e', 'console.error("first"); console.error("disk full"); process.exit(3)'])
    const error = await run.catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(CommandError)
    expect((error as CommandError).message).toMatch(/failed with exit code 3: disk full$/)
    expect((error as CommandError).exitCode).toBe(3)
  })

  it('resolves with the code when failure is allowed', async () => {
    const result = await testHost().exec.run(node, ['-e', 'process.exit(4)'], { allowFailure: true })
    expect(result.exitCode).toBe(4)
  })

  it('says when a program does not exist', async () => {
    await expect(testHost().exec.run('no-such-program', [])).rejects.toThrow('no-such-program could not be started')
  })

  it('ends the whole process group at the deadline, also a grandchild', async () => {
    const script = `
      const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
      console.log(child.pid)
      setInterval(() => {}, 1000)`
    let grandchild = 0
    const run = testHost().exec.run(node, ['-e', script], {
      timeoutMs: 1_000,
      onLine: (line) => {
        grandchild = Number(line)
      },
    })
    const error = (await run.catch((caught: unknown) => caught)) as CommandError
    expect(error.timedOut).toBe(true)
    expect(error.message).toMatch(/timed out after 1 s/)
    expect(grandchild).toBeGreaterThan(0)
    await expect.poll(() => isRunning(grandchild), { timeout: 5_000 }).toBe(false)
  })

  it('does not wait for a descendant in another session that keeps the output open', async () => {
    const script = `
      const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit', detached: true })
      console.log(child.pid)
      setInterval(() => {}, 1000)`
    let outlives = 0
    const run = testHost().exec.run(node, ['-e', script], {
      timeoutMs: 1_000,
      onLine: (line) => {
        outlives = Number(line)
      },
    })
    try {
      const error = (await run.catch((caught: unknown) => caught)) as CommandError
      expect(error.timedOut).toBe(true)
      expect(error.stdout).toBe(`${outlives}\n`)
      expect(isRunning(outlives)).toBe(true)
    } finally {
      if (outlives > 0) process.kill(outlives, 'SIGKILL')
    }
  })

  it('ends the child when the run is cancelled', async () => {
    const cancel = new AbortController()
    const host = testHost({ signal: cancel.signal })
    const run = host.exec.run(node, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], {
      onLine: () => cancel.abort(),
    })
    await expect(run).rejects.toThrow('was ended by cancellation')
  })

  it('echoes the command with its duration, at debug when quiet', async () => {
    const log = recordingLogger()
    const host = testHost({ log })
    await host.exec.run('true', ['a b'])
    await host.exec.run('true', [], { quiet: true })
    expect(log.lines[0]).toMatch(/^info: \$ true "a b" \(\d+\.\d s\)$/)
    expect(log.lines[1]).toMatch(/^debug: \$ true/)
  })

  it('keeps the end of output that is too long', async () => {
    const result = await testHost().exec.run(
      node,
      ['-e', 'for (let i = 0; i < 100000; i++) console.log("line " + i)'],
      { maxBuffer: 100_000 },
    )
    expect(result.stdout.startsWith('[earlier output dropped]')).toBe(true)
    expect(result.stdout.trimEnd().endsWith('line 99999')).toBe(true)
  })

  it('renders a command so that a person sees where arguments end', () => {
    expect(renderCommand('kind', ['create', 'a b', ''])).toBe('kind create "a b" ""')
  })
})

/** False for a process that is gone and for one that is only waiting to be reaped. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
