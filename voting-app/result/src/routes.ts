import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Database } from './database.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { PageFile } from './page.ts'

/** What the routes answer from. */
export interface RouteContext {
  readonly database: Database
  readonly metrics: Metrics
  readonly log: Log
  readonly pod: string
  readonly page: ReadonlyMap<string, PageFile>
  /** True once shutdown has begun. */
  draining(): boolean
}

interface Answer {
  readonly status: number
  readonly route: string
  readonly body: string
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const VOTE_PATH = '/api/votes/'
const RETRY_AFTER_SECONDS = '2'

// Frames, foreign scripts, styles and connections are all refused; the page needs nothing but its own files.
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/** The HTTP side: the page, the API and the endpoints for Kubernetes and Prometheus. */
export function createRoutes(context: RouteContext): RequestListener {
  return (request, response) => {
    const started = performance.now()
    void answer(request, context)
      .catch((error: unknown): Answer => {
        context.log.error('unexpected error', { error: String(error) })
        return problem(500, 'none', 'internal_error', 'an unexpected error; the logs have it')
      })
      .then((result) => send(request, response, result, context, started))
  }
}

async function answer(request: IncomingMessage, context: RouteContext): Promise<Answer> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { ...problem(405, 'none', 'method_not_allowed', 'only GET and HEAD'), headers: { Allow: 'GET, HEAD' } }
  }
  const file = context.page.get(path)
  if (file) {
    // The page checks for a new version at each load: it must match the frames of the server that sent it.
    return { status: 200, route: path, body: file.body, type: file.type, headers: { 'Cache-Control': 'no-cache' } }
  }
  switch (path) {
    case '/health':
      return json(200, path, { status: 'ok', pod: context.pod })
    case '/ready':
      return ready(context)
    case '/metrics':
      return { status: 200, route: path, body: await context.metrics.registry.metrics(), type: context.metrics.registry.contentType }
    case '/favicon.ico':
      return { status: 301, route: path, body: '', headers: { Location: '/icon.svg' } }
    case '/api/scores':
      return read(path, context, async () => json(200, path, { ...(await context.database.scores()), pod: context.pod }))
  }
  if (path.startsWith(VOTE_PATH)) return vote(path.slice(VOTE_PATH.length), context)
  return problem(404, 'none', 'not_found', 'no such page')
}

async function ready(context: RouteContext): Promise<Answer> {
  const postgres = await context.database.ping().then(
    () => 'ok',
    (error: Error) => error.message || 'unreachable',
  )
  const status = context.draining() ? 'draining' : postgres === 'ok' ? 'ready' : 'unavailable'
  return json(status === 'ready' ? 200 : 503, '/ready', { status, postgres, pod: context.pod })
}

function vote(voteId: string, context: RouteContext): Promise<Answer> | Answer {
  const route = `${VOTE_PATH}:voteId`
  if (!UUID.test(voteId)) {
    const name = 'voteId'
    const allowed = 'a UUID'
    const problems = [{ name, value: voteId.slice(0, 64), allowed, example: '0b5c8a2e-6a3f-4f0e-9d57-3c1f2a9be001' }]
    return problem(400, route, 'invalid_vote_id', `${name}: allowed is ${allowed}`, { problems })
  }
  return read(route, context, async () => {
    const counted = await context.database.vote(voteId)
    return counted ? json(200, route, counted) : problem(404, route, 'not_counted', 'no vote with this voteId has been counted')
  })
}

async function read(route: string, context: RouteContext, body: () => Promise<Answer>): Promise<Answer> {
  try {
    return await body()
  } catch (error) {
    context.metrics.databaseErrors.inc()
    context.log.debug('query failed', { route, error: String(error) })
    const unavailable = problem(503, route, 'database_unavailable', 'Postgres does not answer; try again')
    return { ...unavailable, headers: { 'Retry-After': RETRY_AFTER_SECONDS } }
  }
}

function json(status: number, route: string, body: object): Answer {
  return { status, route, body: JSON.stringify(body), type: 'application/json; charset=utf-8' }
}

function problem(status: number, route: string, code: string, message: string, details: object = {}): Answer {
  return json(status, route, { error: { code, message, ...details } })
}

function send(request: IncomingMessage, response: ServerResponse, result: Answer, context: RouteContext, started: number): void {
  const method = request.method ?? 'GET'
  context.metrics.requests.inc({ method: result.status === 405 ? 'other' : method, route: result.route, code: result.status })
  context.metrics.duration.observe({ route: result.route }, (performance.now() - started) / 1000)
  const headers: Record<string, string> = { ...SECURITY_HEADERS, 'Cache-Control': 'no-store', ...result.headers }
  if (result.type) headers['Content-Type'] = result.type
  // A request sent on a kept-alive connection just as it is closed would be lost.
  if (context.draining()) headers.Connection = 'close'
  response.writeHead(result.status, { ...headers, 'Content-Length': Buffer.byteLength(result.body) })
  response.end(method === 'HEAD' ? undefined : result.body)
}
