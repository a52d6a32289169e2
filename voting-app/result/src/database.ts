import { readFileSync } from 'node:fs'
import pg from 'pg'
import type { DatabaseSettings } from './settings.ts'

/** The result so far. `sequence` is that of the last vote counted, 0 before the first. */
export interface Scores {
  readonly scores: { readonly a: number; readonly b: number }
  readonly total: number
  readonly sequence: number
}

/** A counted vote. `countedAt` is in ISO 8601 form. */
export interface CountedVote {
  readonly voteId: string
  readonly choice: string
  readonly sequence: number
  readonly countedAt: string
}

/** What the service reads from Postgres. Every call settles within a few seconds and rejects while Postgres is away. */
export interface Database {
  scores(): Promise<Scores>
  vote(voteId: string): Promise<CountedVote | undefined>
  ping(): Promise<void>
  close(): Promise<void>
}

const CALL_TIMEOUT_MS = 2000
const UNDEFINED_TABLE = '42P01'

// One statement, so that scores and sequence are of the same moment.
const SCORES = `
  SELECT count(*) FILTER (WHERE choice = 'a') AS a, count(*) FILTER (WHERE choice = 'b') AS b,
         (SELECT coalesce(max(sequence), 0) FROM votes) AS sequence
  FROM ballots`
const VOTE = 'SELECT vote_id, choice, sequence, counted_at FROM votes WHERE vote_id = $1'

/** Connection options for node-postgres, with every wait bounded. */
export function connectionOptions(settings: DatabaseSettings): pg.ClientConfig {
  return {
    host: settings.host,
    port: settings.port,
    user: settings.user,
    database: settings.database,
    password: settings.passwordFile
      ? () => readFileSync(settings.passwordFile as string, 'utf8').trim()
      : (settings.password ?? ''),
    ssl: tls(settings.sslMode),
    application_name: 'voting-app-result',
    connectionTimeoutMillis: CALL_TIMEOUT_MS,
    query_timeout: CALL_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
}

/** Opens a pool; it connects on first use and replaces broken connections by itself. */
export function openDatabase(settings: DatabaseSettings): Database {
  const pool = new pg.Pool({ ...connectionOptions(settings), max: 4, idleTimeoutMillis: 30_000 })
  // An idle connection that breaks is dropped by the pool; without a listener the event would end the process.
  pool.on('error', () => {})
  return {
    async scores() {
      const row = (await rows(pool, SCORES, []))[0]
      const a = Number(row?.a ?? 0)
      const b = Number(row?.b ?? 0)
      // About 1.8e15 now, far below 2^53.
      return { scores: { a, b }, total: a + b, sequence: Number(row?.sequence ?? 0) }
    },
    async vote(voteId) {
      const row = (await rows(pool, VOTE, [voteId]))[0]
      if (!row) return undefined
      return {
        voteId: String(row.vote_id),
        choice: String(row.choice),
        sequence: Number(row.sequence),
        countedAt: (row.counted_at as Date).toISOString(),
      }
    },
    async ping() {
      await pool.query('SELECT 1')
    },
    close: () => pool.end(),
  }
}

/** Rows of a query; none while the worker has not created the tables yet. */
async function rows(pool: pg.Pool, text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
  try {
    return (await pool.query(text, values)).rows
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === UNDEFINED_TABLE) return []
    throw error
  }
}

// node-postgres does not negotiate: below `require` it connects in clear.
function tls(mode: string): pg.ClientConfig['ssl'] {
  if (mode === 'require') return { rejectUnauthorized: false }
  return mode === 'verify-ca' || mode === 'verify-full' ? { rejectUnauthorized: true } : false
}
