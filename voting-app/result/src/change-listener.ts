import pg from 'pg'
import type { Log } from './log.ts'

const CHANNEL = 'votes'
const FIRST_BACKOFF_MS = 200
const LAST_BACKOFF_MS = 1000
const CHECK_EVERY_MS = 10_000

/** Callbacks of a {@link ChangeListener}. */
export interface ChangeEvents {
  /** Votes may have been counted: after each notification, and after each connect, which may have missed some. */
  changed(): void
  /** The connection was made anew after a loss. */
  reconnected(): void
}

/**
 * Holds one connection to Postgres that hears of counted votes, and replaces it, with back-off, whenever it ends.
 * A connection that is dead without having ended is found by a query every 10 s.
 */
export class ChangeListener {
  readonly #options: pg.ClientConfig
  readonly #events: ChangeEvents
  readonly #log: Log
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #backoffMs = FIRST_BACKOFF_MS
  #connectedBefore = false
  #closed = false

  constructor(options: pg.ClientConfig, events: ChangeEvents, log: Log) {
    this.#options = options
    this.#events = events
    this.#log = log
  }

  /** Starts listening; never rejects, whatever Postgres does. */
  start(): void {
    void this.#connect()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#client?.end().catch(() => {})
  }

  async #connect(): Promise<void> {
    if (this.#closed) return
    const client = new pg.Client(this.#options)
    this.#client = client
    let lost = false
    const lose = (reason: string) => {
      if (lost || this.#closed) return
      lost = true
      this.#log.warning('listening connection lost', { reason, retryInMs: this.#backoffMs })
      client.end().catch(() => {})
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => void this.#connect(), this.#backoffMs)
      this.#backoffMs = Math.min(2 * this.#backoffMs, LAST_BACKOFF_MS)
    }
    client.on('error', (error) => lose(error.message))
    client.on('end', () => lose('closed by the server'))
    client.on('notification', () => this.#events.changed())
    try {
      await client.connect()
      await client.query(`LISTEN ${CHANNEL}`)
    } catch (error) {
      lose(error instanceof Error ? error.message : String(error))
      return
    }
    if (lost || this.#closed) return
    this.#backoffMs = FIRST_BACKOFF_MS
    this.#log.info('listening for counted votes')
    if (this.#connectedBefore) this.#events.reconnected()
    this.#connectedBefore = true
    this.#events.changed()
    const check = () => {
      this.#timer = setTimeout(() => {
        client.query('SELECT 1').then(check, (error: Error) => lose(error.message))
      }, CHECK_EVERY_MS)
    }
    check()
  }
}
