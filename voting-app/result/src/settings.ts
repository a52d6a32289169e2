import { readFileSync } from 'node:fs'

/** How to reach Postgres. The file wins over the value and is read at each connect, so a rotated secret needs no restart. */
export interface DatabaseSettings {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly sslMode: string
  readonly password: string | undefined
  readonly passwordFile: string | undefined
}

/** How one process of the service runs. */
export interface Settings {
  readonly port: number
  readonly pod: string
  readonly labels: { readonly a: string; readonly b: string }
  readonly voteUrl: string | undefined
  readonly logLevel: 'debug' | 'info' | 'warning' | 'error'
  /** How long to go on serving after SIGTERM, in milliseconds. */
  readonly drainMs: number
  readonly database: DatabaseSettings
}

/** The environment holds values the service cannot run with; the message names every one. */
export class SettingsError extends Error {
  override name = 'SettingsError'
}

const LOG_LEVELS = ['debug', 'info', 'warning', 'error'] as const
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

/** Reads settings from `env`. Throws SettingsError. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = []
  const number = (name: string, fallback: number, low: number, high: number): number => {
    const raw = env[name]
    if (!raw) return fallback
    const value = Number(raw)
    if (value >= low && value <= high) return value
    problems.push(`${name}=${JSON.stringify(raw)}: allowed is a number from ${low} to ${high}, for example ${fallback}`)
    return fallback
  }
  const choice = <T extends string>(name: string, fallback: T, allowed: readonly T[]): T => {
    const raw = env[name] || fallback
    const found = allowed.find((candidate) => candidate === raw)
    if (found === undefined) problems.push(`${name}=${JSON.stringify(raw)}: allowed is one of ${allowed.join(', ')}`)
    return found ?? fallback
  }
  const voteUrl = env.VOTE_URL || undefined
  if (voteUrl && !/^https?:\/\//.test(voteUrl)) {
    problems.push(`VOTE_URL=${JSON.stringify(voteUrl)}: allowed is an http(s) URL, for example http://127.0.0.1:30080`)
  }
  const settings: Settings = {
    port: number('PORT', 8081, 0, 65_535),
    pod: env.POD_NAME || env.HOSTNAME || 'unknown',
    labels: { a: env.OPTION_A || 'Cats', b: env.OPTION_B || 'Dogs' },
    voteUrl,
    logLevel: choice('LOG_LEVEL', 'info', LOG_LEVELS),
    drainMs: number('DRAIN_SECONDS', 5, 0, 600) * 1000,
    database: {
      host: env.POSTGRES_HOST || 'postgres-service',
      port: number('POSTGRES_PORT', 5432, 1, 65_535),
      user: env.POSTGRES_USER || 'postgres',
      database: env.POSTGRES_DB || 'postgres',
      sslMode: choice('POSTGRES_SSLMODE', 'prefer', SSL_MODES),
      password: env.POSTGRES_PASSWORD || undefined,
      passwordFile: env.POSTGRES_PASSWORD_FILE || undefined,
    },
  }
  if (settings.database.passwordFile) {
    try {
      readFileSync(settings.database.passwordFile)
    } catch (error) {
      problems.push(`POSTGRES_PASSWORD_FILE=${JSON.stringify(settings.database.passwordFile)}: cannot be read: ${String(error)}`)
    }
  }
  if (problems.length > 0) throw new SettingsError(problems.join('; '))
  return settings
}
