import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { WebSocket } from 'ws'
import { createLog } from '../src/log.ts'
import type { ScoresFrame } from '../src/score-feed.ts'
import { type Service, startService } from '../src/service.ts'
import { readSettings, type Settings } from '../src/settings.ts'
import { eventually, type PostgresServer } from './postgres-server.ts'

// The worker's own files: what it writes is what this service must read.
const workerSql = (name: string) => readFileSync(new URL(`../../worker/internal/store/${name}`, import.meta.url), 'utf8')
const SCHEMA = workerSql('schema.sql')
const COUNT = workerSql('count.sql')

/** A service on a free port, on the given server. */
export function startResult(postgres: PostgresServer, changes: Partial<Settings> = {}): Promise<Service> {
  const settings = { ...readSettings({ POD_NAME: 'result-test', PORT: '0' }), database: postgres.settings, drainMs: 0, ...changes }
  return startService(settings, createLog('error', () => {}))
}

export async function emptySchema(postgres: PostgresServer): Promise<void> {
  await postgres.query(`DROP TABLE IF EXISTS votes, ballots; ${SCHEMA}`)
}

/** Counts a vote as the worker does; with `announce: false` the notification is lost. */
export async function count(
  postgres: PostgresServer,
  vote: { id: string; voter: string; choice: string; sequence: number },
  announce = true,
): Promise<void> {
  await postgres.query(COUNT, [[vote.id], [vote.voter], [vote.choice], [vote.sequence], [new Date()]])
  if (announce) await postgres.query("SELECT pg_notify('votes', $1)", [String(vote.sequence)])
}

export const voteId = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export async function getJson(service: Service, path: string) {
  const response = await fetch(`http://127.0.0.1:${service.port}${path}`)
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> }
}

/** A page's connection: the frames it has received so far. */
export class Listener {
  readonly frames: ScoresFrame[] = []
  readonly socket: WebSocket
  closeCode: number | undefined

  constructor(service: Service) {
    this.socket = new WebSocket(`ws://127.0.0.1:${service.port}/ws`)
    this.socket.on('message', (data) => this.frames.push(JSON.parse(String(data))))
    this.socket.on('error', () => {})
    this.socket.on('close', (code) => {
      this.closeCode = code
    })
  }

  /** Waits until the newest frame shows these scores. */
  shows(a: number, b: number, withinMs?: number): Promise<ScoresFrame> {
    return eventually(
      `scores ${a}:${b}`,
      () => {
        const last = this.frames.at(-1)
        assert.deepEqual(last?.scores, { a, b })
        return last as ScoresFrame
      },
      withinMs,
    )
  }
}
