import type { Server } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import type { Database, Scores } from './database.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** What a page receives: on connect, and whenever the result has changed. */
export interface ScoresFrame extends Scores {
  readonly type: 'scores'
  readonly pod: string
}

const MIN_REFRESH_GAP_MS = 100
const SAFETY_POLL_MS = 5000
const PING_EVERY_MS = 15_000
// A page that reads slower than this much behind is cut off; it reconnects and gets the newest frame.
const MAX_BUFFERED_BYTES = 256 * 1024

/** Sends the scores to every connected page over the WebSocket `/ws`. */
export class ScoreFeed {
  readonly #database: Pick<Database, 'scores'>
  readonly #metrics: Metrics
  readonly #log: Log
  readonly #pod: string
  readonly #sockets: WebSocketServer
  readonly #answering = new WeakSet<WebSocket>()
  #last: Scores | undefined
  #refreshing = false
  #again = false
  #gap: NodeJS.Timeout | undefined
  readonly #timers: NodeJS.Timeout[] = []

  constructor(options: { server: Server; database: Pick<Database, 'scores'>; metrics: Metrics; log: Log; pod: string }) {
    this.#database = options.database
    this.#metrics = options.metrics
    this.#log = options.log
    this.#pod = options.pod
    // Pages send nothing, so anything sizeable from one is an error.
    this.#sockets = new WebSocketServer({ server: options.server, path: '/ws', maxPayload: 1024 })
    this.#sockets.on('connection', (socket) => this.#welcome(socket))
    this.#sockets.on('error', () => {}) // The HTTP server reports its own errors.
    this.#timers.push(setInterval(() => this.refresh(), SAFETY_POLL_MS), setInterval(() => this.#dropDead(), PING_EVERY_MS))
    this.refresh()
  }

  /** Reads the scores soon and sends them if they have changed. Many calls in a short time become one. */
  refresh(): void {
    if (this.#refreshing || this.#gap) {
      this.#again = true
      return
    }
    this.#refreshing = true
    this.#database
      .scores()
      .then(
        (scores) => this.#publish(scores),
        (error: Error) => {
          this.#metrics.databaseErrors.inc()
          this.#log.debug('scores not read', { error: error.message })
        },
      )
      .finally(() => {
        this.#refreshing = false
        this.#gap = setTimeout(() => {
          this.#gap = undefined
          if (!this.#again) return
          this.#again = false
          this.refresh()
        }, MIN_REFRESH_GAP_MS)
      })
  }

  /** Tells every page to reconnect elsewhere, and stops. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#gap)
    for (const socket of this.#sockets.clients) socket.close(1001, 'going away')
    this.#sockets.close()
  }

  /** Cuts off pages that have not answered the farewell. */
  terminate(): void {
    for (const socket of this.#sockets.clients) socket.terminate()
  }

  #welcome(socket: WebSocket): void {
    this.#metrics.clients.inc()
    this.#answering.add(socket)
    socket.on('pong', () => this.#answering.add(socket))
    socket.on('error', () => socket.terminate())
    socket.on('close', () => this.#metrics.clients.dec())
    if (this.#last) this.#send(socket, this.#frame(this.#last))
    // Postgres may be away: what is known is shown at once, and what is true follows.
    this.refresh()
  }

  #publish(scores: Scores): void {
    const last = this.#last
    if (last && last.sequence === scores.sequence && last.scores.a === scores.scores.a && last.scores.b === scores.scores.b) return
    this.#last = scores
    const frame = this.#frame(scores)
    for (const socket of this.#sockets.clients) this.#send(socket, frame)
  }

  #frame(scores: Scores): string {
    const frame: ScoresFrame = { type: 'scores', ...scores, pod: this.#pod }
    return JSON.stringify(frame)
  }

  #send(socket: WebSocket, frame: string): void {
    if (socket.readyState !== WebSocket.OPEN) return
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      socket.terminate()
      return
    }
    socket.send(frame)
    this.#metrics.frames.inc()
  }

  #dropDead(): void {
    for (const socket of this.#sockets.clients) {
      if (!this.#answering.delete(socket)) socket.terminate()
      else socket.ping()
    }
  }
}
