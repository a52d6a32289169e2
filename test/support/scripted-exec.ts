import { CommandError } from '../../src/process/errors.ts'
import { type Exec, type RunOptions, renderCommand } from '../../src/process/exec.ts'

type Answer = string | { readonly stdout?: string; readonly stderr?: string; readonly exitCode?: number }

/**
 * Answers the commands it knows, first match wins; a command nobody expected fails the test and shows its whole line. `calls` are the lines run.
 */
export function scriptedExec(
  script: readonly (readonly [RegExp, Answer | ((line: string, options: RunOptions) => Answer | Promise<Answer>)])[],
): Exec & { readonly calls: string[] } {
  const calls: string[] = []
  return {
    calls,
    async run(command, args, options = {}) {
      const line = renderCommand(command, args)
      calls.push(line)
      const entry = script.find(([pattern]) => pattern.test(line))
      if (entry === undefined) throw new Error(`unexpected command: ${line}`)
      const answer = typeof entry[1] === 'function' ? await entry[1](line, options) : entry[1]
      const { stdout = '', stderr = '', exitCode = 0 } = typeof answer === 'string' ? { stdout: answer } : answer
      for (const text of stdout.split('\n')) if (text !== '') options.onLine?.(text, 'stdout')
      for (const text of stderr.split('\n')) if (text !== '') options.onLine?.(text, 'stderr')
      if (exitCode !== 0 && options.allowFailure !== true) {
        throw new CommandError({
          command: line,
          exitCode,
          killedBy: null,
          timedOut: false,
          stdout,
          stderr,
          durationMs: 1,
        })
      }
      return { stdout, stderr, exitCode, durationMs: 1 }
    },
  }
}
