import { describe, expect, test } from 'vitest'
import { reportError } from '../../../src/action/report-error.ts'
import { CancelledError, NotReadyError, ToolkitError } from '../../../src/process/errors.ts'
import { recordingLogger } from '../../support/test-host.ts'

async function report(error: unknown, debug = false): Promise<string[]> {
  const log = recordingLogger()
  await reportError(error, { log, debug, as: 'error' })
  return log.lines
}

describe('an error is told once', () => {
  test('what, what to do, where to read on; evidence below, no stack', async () => {
    const cause = new ToolkitError('no route', { code: 'X', diagnostics: ['tcp 10.0.0.1'] })
    const error = new NotReadyError('node worker2 not Ready after 120 s', {
      code: 'NODE_NOT_READY',
      hint: 'Try fewer workers.',
      diagnostics: ['cni plugin not initialized'],
      cause,
    })
    expect(await report(error)).toEqual([
      'error: node worker2 not Ready after 120 s\nTry fewer workers.\n(NODE_NOT_READY, docs/errors.md)',
      'group: details',
      'info: cni plugin not initialized',
      'info: caused by: no route',
      'info: tcp 10.0.0.1',
    ])
  })

  test('an unexpected one shows its stack and says that it is a defect', async () => {
    const lines = await report(new TypeError('x is undefined'))
    expect(lines[0]).toBe('error: x is undefined\n(unexpected: please report this with the details in the log)')
    expect(lines.at(-1)).toContain('TypeError: x is undefined\n    at ')
  })

  test('with debug also a known one shows its stack', async () => {
    expect((await report(new NotReadyError('late'), true)).at(-1)).toContain('    at ')
  })

  test('a cancellation is a warning: somebody wanted it', async () => {
    expect((await report(new CancelledError('cancelled')))[0]).toMatch(/^warning: cancelled/)
  })

  test('causes in a circle end', async () => {
    const first = new Error('first')
    const second = new Error('second', { cause: first })
    first.cause = second
    expect((await report(first)).filter((line) => line.startsWith('info: caused by'))).toHaveLength(1)
  })

  test('what is not an Error is reported too', async () => {
    expect((await report('plain'))[0]).toContain('error: plain')
  })

  test('a huge message is cut', async () => {
    const [line = ''] = await report(new NotReadyError('x'.repeat(100_000)))
    expect(line.length).toBeLessThan(5_000)
  })
})
