import * as core from '@actions/core'
import type { Clock } from '../process/clock.ts'
import type { AnnotationPlace, Logger } from '../process/log.ts'
import { Secrets, secretTexts } from '../process/secret-texts.ts'
import { formatSeconds } from '../process/wait.ts'
import { harmlessLines } from './safe-text.ts'

/** Between two lines of progress: a log of a job is read afterwards. */
const progressMs = 5_000

/**
 * What features say, as the runner understands it. Groups fold; inside another group, which the runner cannot fold again, or beside one that is open, they become
 * plain headings. Text never becomes a command, and what was masked is not in it.
 */
export function createRunnerLogger(clock: Clock, secrets: Secrets = new Secrets()): Logger {
  const linesOf = (message: string): string[] => harmlessLines(secrets.hide(message))
  const harmless = (message: string): string => linesOf(message).join('\n')
  const properties = ({ title, file, line }: AnnotationPlace = {}): core.AnnotationProperties => ({
    ...(title === undefined ? {} : { title: harmless(title) }),
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { startLine: line }),
  })
  let open = 0
  let lastProgress = Number.NEGATIVE_INFINITY
  const info = (message: string): void => {
    for (const line of linesOf(message)) core.info(line)
  }
  return {
    debug: (message) => core.debug(harmless(message)),
    info,
    // The toolkit escapes these: percent signs and line breaks of the message cannot end the command. Its lines appear in the log as they are.
    notice: (message) => core.notice(harmless(message)),
    warning: (message, place) => core.warning(harmless(message), properties(place)),
    error: (message, place) => core.error(harmless(message), properties(place)),
    async group(title, body) {
      const [heading = ''] = linesOf(title)
      const folded = open === 0
      open += 1
      if (folded) core.startGroup(heading)
      else core.info(`> ${heading}`)
      const started = clock.monotonic()
      let outcome = 'failed'
      try {
        const result = await body()
        outcome = 'done'
        return result
      } finally {
        open -= 1
        info(`${heading}: ${outcome} in ${formatSeconds(clock.monotonic() - started)}`)
        if (folded) core.endGroup()
      }
    },
    progress(message) {
      const now = clock.monotonic()
      if (now - lastProgress < progressMs) return
      lastProgress = now
      info(message)
    },
    mask(secret) {
      secrets.add(secret)
      for (const text of secretTexts(secret)) core.setSecret(text)
    },
  }
}
