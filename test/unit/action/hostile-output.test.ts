import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contract } from '../../../actions/setup-cluster/contract.ts'
import { createRunnerLogger } from '../../../src/action/runner-logger.ts'
import { harmlessLines } from '../../../src/action/safe-text.ts'
import { systemClock } from '../../../src/process/clock.ts'
import { ToolkitError } from '../../../src/process/errors.ts'
import { cases, hostileText, patience } from '../../support/hostile-text.ts'
import { commandsOf } from '../../support/runner-protocol.ts'
import { capture, type StepBody, stepRunner } from '../../support/step-case.ts'

/** What has a form in the runner's files that reads back as itself. */
const writable = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

describe('text from anywhere', () => {
  test(
    'reads back from outputs, state, variables and PATH as it was, or is refused',
    async () => {
      const runStep = stepRunner()
      let refused = 0
      await fc.assert(
        fc.asyncProperty(hostileText, hostileText, async (value, folder) => {
          let thrown: unknown
          const body: StepBody = async ({ outputs, state, exportVariable, addPath }) => {
            try {
              outputs.set('context', value)
              outputs.set('nodes', [{ name: value }])
              state.set('cluster-name', value)
              exportVariable('K8S_PLATFORM_TEST', value)
              addPath(folder)
            } catch (error) {
              thrown = error
              throw error
            }
          }
          const step = await runStep(contract, {}, body)
          if (thrown !== undefined) {
            refused += 1
            expect(thrown).toBeInstanceOf(ToolkitError)
            expect(thrown).toMatchObject({ code: 'VALUE_UNWRITABLE' })
            expect(writable(value) && writable(folder) && !/[\r\n]/.test(folder)).toBe(false)
          } else {
            expect(step.outputs['context']).toBe(value)
            expect(JSON.parse(step.outputs['nodes'] ?? '')).toEqual([{ name: value }])
            expect(step.state).toEqual({ 'cluster-name': value })
            expect(step.variables).toEqual({ K8S_PLATFORM_TEST: value })
            expect(step.folders).toEqual(folder === '' ? [] : [folder])
          }
          expect(Object.keys(step.outputs).every((name) => ['context', 'nodes'].includes(name))).toBe(true)
        }),
        cases(1_000),
      )
      delete process.env['K8S_PLATFORM_TEST']
      expect(refused).toBeGreaterThan(0)
    },
    patience,
  )

  test(
    'becomes no command of the runner, whatever it is said as',
    async () => {
      const log = createRunnerLogger(systemClock)
      await fc.assert(
        fc.asyncProperty(hostileText, hostileText, async (text, title) => {
          const { printed } = await capture(async () => {
            log.info(text)
            log.debug(text)
            log.notice(text)
            log.warning(text, { title, file: text, line: 1 })
            log.error(text, { title })
            await log.group(text, () => log.group(title, async () => log.info(title)))
          })
          const commands = commandsOf(printed)
          expect(commands.map(({ name }) => name)).toEqual(['debug', 'notice', 'warning', 'error', 'group', 'endgroup'])
          for (const { message, properties } of commands) {
            // What the runner prints of an annotation is a line of the log again, where the page looks for headings.
            expect(commandsOf(message)).toEqual([])
            expect(Object.keys(properties).every((name) => ['title', 'file', 'line'].includes(name))).toBe(true)
          }
        }),
        cases(1_000),
      )
    },
    patience,
  )

  test('masks each line of a secret, and a secret that looks like a command is no other one', async () => {
    const log = createRunnerLogger(systemClock)
    const { printed } = await capture(async () => log.mask('a\n::error::b%0A\r\nc'))
    expect(commandsOf(printed)).toEqual(
      ['a\n::error::b%0A\r\nc', 'a', '::error::b%0A', 'c'].map((message) => ({
        name: 'add-mask',
        properties: {},
        message,
      })),
    )
  })

  test('stays readable', () => {
    expect(harmlessLines('a: b\r\nc::d')).toEqual(['a: b', 'c::d'])
    expect(harmlessLines('::warning::no')).toEqual(['| ::warning::no'])
  })
})

describe('the reader of commands', () => {
  test.each([
    '::error::x',
    '  ::error::x',
    '\u200b::error::x',
    ':\u00ad:error::x',
    '\u2003:\u0301:error::x',
    '##[error]x',
    'a ##[group]b',
    '#\u200b#[x',
    'fine\r::error::x',
  ])('sees the one in %j, and harmless lines have none', (text) => {
    expect(commandsOf(text)).toHaveLength(1)
    expect(commandsOf(harmlessLines(text).join('\n'))).toEqual([])
  })

  test('reads message and properties as they were written', async () => {
    const log = createRunnerLogger(systemClock)
    const { printed } = await capture(async () => log.error('50 %\nb', { title: 'a: b, c', file: 'x,y.yaml', line: 3 }))
    expect(commandsOf(printed)).toEqual([
      { name: 'error', properties: { title: 'a: b, c', file: 'x,y.yaml', line: '3' }, message: '50 %\nb' },
    ])
  })
})
