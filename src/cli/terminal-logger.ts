import type { Clock } from '../process/clock.ts'
import type { Logger } from '../process/log.ts'
import { secretTexts } from '../process/secret-texts.ts'
import { formatSeconds } from '../process/wait.ts'

export interface TerminalLoggerOptions {
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }
  readonly clock: Clock
  /** Also show debug lines and quiet commands. */
  readonly verbose: boolean
}

export interface TerminalLogger extends Logger {
  /** A text of its own, such as the error at the end: no time before it, masked like the rest. */
  plain(text: string): void
  /** The text with `***` for every secret, for whoever writes elsewhere. */
  masked(text: string): string
}

/** Between two plain progress lines where nothing can be overwritten: CI logs are read by people. */
const plainProgressMs = 5_000
const clearLine = '\r\x1b[2K'

/** Live on a terminal: the last line is the current reason for waiting. Plain lines elsewhere. */
export function terminalLogger({ stream, clock, verbose }: TerminalLoggerOptions): TerminalLogger {
  const live = stream.isTTY === true
  const origin = clock.monotonic()
  /** Longest first: a part of a secret may be another. */
  let secrets: string[] = []
  let shown = false
  let lastPlain = Number.NEGATIVE_INFINITY

  const clean = (text: string): string => secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text)
  const stamp = (): string => `${((clock.monotonic() - origin) / 1000).toFixed(1).padStart(6)} s  `
  const line = (text: string): void => {
    if (shown) stream.write(clearLine)
    shown = false
    stream.write(`${clean(text)}\n`)
  }
  const coloured = (code: number, text: string): string => (live ? `\x1b[${code}m${text}\x1b[0m` : text)

  return {
    debug(message) {
      if (verbose) line(coloured(2, `${stamp()}${message}`))
    },
    info(message) {
      // Commands and their durations are for whoever looks into a problem; the phases tell the story.
      if (verbose || !message.startsWith('$ ')) line(`${stamp()}${message}`)
    },
    notice: (message) => line(`${stamp()}${message}`),
    warning: (message) => line(`${stamp()}${coloured(33, 'warning:')} ${message}`),
    error: (message) => line(`${stamp()}${coloured(31, 'error:')} ${message}`),
    async group(title, body) {
      line(`${stamp()}${coloured(1, title)}`)
      const started = clock.monotonic()
      try {
        const result = await body()
        line(`${stamp()}${coloured(32, 'done')} ${title} (${formatSeconds(clock.monotonic() - started)})`)
        return result
      } catch (error) {
        line(`${stamp()}${coloured(31, 'failed')} ${title} (${formatSeconds(clock.monotonic() - started)})`)
        throw error
      }
    },
    progress(message) {
      if (live) {
        const width = Math.max(20, (stream.columns ?? 80) - 1)
        stream.write(`${clearLine}${clean(`${stamp()}${message}`).replace(/\s+/g, ' ').slice(0, width)}`)
        shown = true
        return
      }
      if (clock.monotonic() - lastPlain < plainProgressMs) return
      lastPlain = clock.monotonic()
      line(`${stamp()}${message}`)
    },
    mask(secret) {
      const texts = secretTexts(secret).flatMap((text) => [text, asInJson(text)])
      secrets = [...new Set([...secrets, ...texts])].sort((a, b) => b.length - a.length)
    },
    plain: line,
    masked: clean,
  }
}

/** As programs quote it. */
function asInJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
