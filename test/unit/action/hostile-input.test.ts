import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allActions } from '../../../actions/all-actions.ts'
import { inputVariable, parseInputs } from '../../../src/action/parse-inputs.ts'
import { harmlessLines, markdownText } from '../../../src/action/safe-text.ts'
import { InputError } from '../../../src/process/errors.ts'
import { ganttChart } from '../../../src/report/timeline.ts'

/** Fragments with a meaning to a shell, YAML, the runner, Markdown, Mermaid or a terminal. */
const fragment = fc.oneof(
  fc.constantFrom(
    '::error::x',
    '::set-output name=a::b',
    '##[error]x',
    '%0A',
    '%25',
    '\n',
    '\r',
    '\r\n',
    '\0',
    '\u001b[31m',
    '\u2028',
    '\u0085',
    '$(touch x)',
    '`id`',
    ';',
    '&&',
    '|',
    '../',
    '${{ github.token }}',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ': ',
    '- ',
    '#',
    '&a',
    '*a',
    '!!js',
    '```',
    '<script>',
    '<!--',
    '](http://x)',
    '@team',
    'ghadelimiter_',
    '<<EOF',
    '\u200b',
    '\ufeff',
    '\ud800',
    'true',
    '1.36',
    '10m',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
)
const hostile = fc.array(fragment, { maxLength: 8 }).map((parts) => parts.join(''))
const runs = Number(process.env['K8S_PLATFORM_NIGHTLY'] ? 20_000 : 2_000)

/** What the runner takes for a command: it trims white space and compares by culture, which skips characters nobody sees. */
function looksLikeCommand(line: string): boolean {
  const visible = line.replace(/[\p{C}\p{Z}\p{M}\s]/gu, '')
  return visible.startsWith('::') || /##\[/.test(visible)
}

describe('hostile text', () => {
  test.each(allActions.map((action) => [action.name, action] as const))(
    'inputs of %s are refused in one InputError or parsed, never anything else',
    (_name, action) => {
      const names = [...Object.keys(action.inputs), 'unknown', 'cluster_name']
      fc.assert(
        fc.property(fc.dictionary(fc.constantFrom(...names), hostile, { maxKeys: 5 }), (inputs) => {
          const env = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [inputVariable(name), value]))
          try {
            const { values } = parseInputs(action, env)
            for (const [name, value] of Object.entries(values)) {
              // Only lists may have several lines, and then none of their values has.
              for (const text of [value].flat()) expect(String(text), name).not.toMatch(/[\r\n\0]/)
            }
          } catch (error) {
            expect(error).toBeInstanceOf(InputError)
          }
        }),
        { numRuns: runs },
      )
    },
  )

  test('never prints as a command', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const line of harmlessLines(text)) {
          expect(line).not.toMatch(/[\r\n]/)
          expect(looksLikeCommand(line)).toBe(false)
        }
      }),
      { numRuns: runs },
    )
  })

  test.each([
    '::error::x',
    '  ::error::x',
    '\u200b::error::x',
    ':\u00ad:error::x',
    '##[error]x',
    'a ##[group]b',
    '#\u200b#[x',
  ])('the check itself sees the command in %j', (text) => {
    expect(looksLikeCommand(text)).toBe(true)
    expect(harmlessLines(text).some(looksLikeCommand)).toBe(false)
  })

  test('stays readable', () => {
    expect(harmlessLines('a: b\r\nc::d')).toEqual(['a: b', 'c::d'])
    expect(harmlessLines('::warning::no')).toEqual(['| ::warning::no'])
  })

  test('is text in a table of the job summary', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(markdownText(text)).not.toMatch(/[<>|`*[\]\r\n]|@\w/)
      }),
      { numRuns: runs },
    )
  })

  test('cannot leave a Mermaid chart', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const lines = ganttChart(name, [{ name, startMs: 0, durationMs: 1, ok: true }]).split('\n')
        expect(lines).toHaveLength(5)
        expect(lines[4]).toMatch(/^ {2}[\p{L}\p{N} ._()/-]+ :0, 1$/u)
      }),
      { numRuns: runs },
    )
  })
})
