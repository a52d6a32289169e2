import type { Settings } from './settings.ts'

/** One JSON object per line. */
export interface Log {
  debug(message: string, fields?: object): void
  info(message: string, fields?: object): void
  warning(message: string, fields?: object): void
  error(message: string, fields?: object): void
}

const ORDER = ['debug', 'info', 'warning', 'error'] as const

/** A log that hands lines of `level` and above to `write`. */
export function createLog(level: Settings['logLevel'], write: (line: string) => void): Log {
  const at = (own: (typeof ORDER)[number]) => (message: string, fields?: object) => {
    if (ORDER.indexOf(own) < ORDER.indexOf(level)) return
    write(`${JSON.stringify({ time: new Date().toISOString(), level: own, service: 'result', message, ...fields })}\n`)
  }
  return { debug: at('debug'), info: at('info'), warning: at('warning'), error: at('error') }
}
