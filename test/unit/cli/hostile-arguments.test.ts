import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Command, exampleOf, type Parsed, parseArguments } from '../../../src/cli/arguments.ts'
import { targetCluster } from '../../../src/cli/assert.ts'
import { commands } from '../../../src/cli/commands.ts'
import { deployRequestOf } from '../../../src/cli/deploy.ts'
import { settingsOf } from '../../../src/cli/run-command.ts'
import { readState } from '../../../src/cluster/state.ts'
import { requestOf } from '../../../src/pipeline/request-of.ts'
import { ToolkitError } from '../../../src/process/errors.ts'
import { requireKind } from '../../../src/spec/settings.ts'
import { recordFault } from '../../support/fault-results.ts'
import { cases, hostileText, patience } from '../../support/hostile-text.ts'
import { testHost } from '../../support/test-host.ts'

// What the kernel hands over has no NUL.
const word = hostileText.map((text) => text.replaceAll('\0', ''))

const anyCall: fc.Arbitrary<{ command: Command; argv: string[] }> = fc
  .constantFrom<Command>(...commands)
  .chain((command) => {
    const flag = fc
      .tuple(fc.constantFrom(...Object.entries(command.flags)), word, fc.nat({ max: 11 }))
      .map(([[name, definition], text, kind]): string[] => {
        const example = definition.type === 'boolean' ? 'false' : (exampleOf(definition) ?? '')
        if (kind < 6) return [`--${name}`, example]
        if (kind < 8) return [`--${name}=${example}`]
        return (
          [[`--${name}`, text], [`--${name}=${text}`], [`--no-${name}`], [`--${name}${text}`, example]][kind - 8] ?? []
        )
      })
    const loose = word.map((text) => [text])
    const words =
      command.words === undefined ? fc.constant<string[]>([]) : fc.constantFrom(...command.words.of).map((of) => [of])
    return fc
      .tuple(
        words,
        fc.array(fc.oneof({ weight: 12, arbitrary: flag }, { weight: 1, arbitrary: loose }), { maxLength: 4 }),
      )
      .map(([first, rest]) => ({ command, argv: [...first, ...rest.flat()] }))
  })

const host = testHost({ env: { DB_PASSWORD: 'hunter2' } })

/** What the command would ask for, as far as it needs neither a cluster nor an engine. */
async function requestFor(command: Command, parsed: Parsed): Promise<void> {
  const name = parsed.flags['cluster-name']
  // Never a path: the state file of a cluster is named after it.
  if (typeof name === 'string') {
    expect(name).toMatch(/^[a-z0-9-]{1,50}$/)
    expect(await readState(host, name)).toBeUndefined()
  }
  if (command.name === 'deploy') deployRequestOf(host, parsed)
  if ('kubeconfig' in command.flags && parsed.flags['kubeconfig'] !== undefined)
    expect((await targetCluster(host, parsed, 'demo')).kubeconfig).toBe(parsed.flags['kubeconfig'])
  if ('spec' in command.flags) {
    const { settings } = await settingsOf(host, command, parsed)
    requireKind(settings)
    requestOf(settings, { name: 'demo', imageSource: 'registry' })
  }
}

test(
  'any words on the command line are refused in one readable error, or make a request',
  async () => {
    const number = cases(4_000)
    const seen = { refused: 0, taken: 0 }
    const result = await fc.check(
      fc.asyncProperty(anyCall, async ({ command, argv }) => {
        try {
          await requestFor(command, parseArguments(command, argv))
          seen.taken += 1
        } catch (error) {
          if (!(error instanceof ToolkitError)) throw error
          expect(error.code).toMatch(/^(INPUT_INVALID|PROVIDER_UNSUPPORTED)$/)
          expect(error.message).not.toMatch(/[^\P{Cc}\n]/u)
          expect(error.message).not.toContain('hunter2')
          seen.refused += 1
        }
      }),
      number,
    )
    const held = !result.failed && Math.min(seen.refused, seen.taken) > number.numRuns / 20
    recordFault({
      section: 'input',
      fault: `${number.numRuns} generated cases: words of every command of the command line`,
      expected: 'each one error of INPUT_INVALID, or a request',
      seen: result.failed ? 'a case broke it' : `${seen.refused} refused, ${seen.taken} taken, nothing else`,
      held,
    })
    expect(result.failed, `${fc.defaultReportMessage(result)} ${String(result.errorInstance)}`).toBe(false)
    expect(held, JSON.stringify(seen)).toBe(true)
  },
  patience,
)
