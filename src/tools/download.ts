import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CancelledError, messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds, pause } from '../process/wait.ts'
import { DownloadError } from './download-error.ts'

export interface Download {
  /** What people call it, such as `kind 0.33.0`. */
  readonly what: string
  readonly url: string
  /** Lower-case hex. */
  readonly sha256: string
  /** Where the verified file appears, whole or not at all. */
  readonly destination: string
  /** File mode, default 0o755: what we download are programs. */
  readonly mode?: number
  /** Tries in total for transient errors. Default 4. */
  readonly attempts?: number
  /** Pause before the second try; doubles after. Default 1 s. */
  readonly backOffMs?: number
  /** Default 5. */
  readonly maxRedirects?: number
  /** Per try. Default 5 minutes. */
  readonly timeoutMs?: number
}

/** A server may ask for hours; a job has not got them. */
const longestRetryAfterMs = 30_000
const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504])

/**
 * Streams a file to disk, hashing as it goes, and renames it into place only when the digest is right. Transient errors are tried again with back-off;
 * rejects with {@link DownloadError}, whose code says which kind of failure it was.
 */
export async function download(host: Pick<Host, 'log' | 'signal'>, request: Download): Promise<void> {
  const attempts = request.attempts ?? 4
  for (let attempt = 1; ; attempt++) {
    try {
      await downloadOnce(host, request)
      return
    } catch (error) {
      if (host.signal.aborted) throw new CancelledError(`cancelled while downloading ${request.what}`)
      if (!(error instanceof DownloadError) || !error.transient || attempt >= attempts) throw error
      const waitMs = error.retryAfterMs ?? (request.backOffMs ?? 1_000) * 2 ** (attempt - 1)
      host.log.info(`${error.message}; try ${attempt + 1} of ${attempts} in ${formatSeconds(waitMs)}`)
      await pause(waitMs, host.signal)
    }
  }
}

async function downloadOnce(host: Pick<Host, 'log' | 'signal'>, request: Download): Promise<void> {
  const signal = AbortSignal.any([host.signal, AbortSignal.timeout(request.timeoutMs ?? 300_000)])
  const response = await follow(request, signal)
  const expectedLength = contentLength(response)
  const partial = `${request.destination}.${process.pid}.partial`
  const hash = createHash('sha256')
  let received = 0
  await mkdir(dirname(request.destination), { recursive: true })
  try {
    if (response.body === null) throw truncated(request, 0, expectedLength)
    await pipeline(
      Readable.fromWeb(response.body),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          if (received === 0) refuseHtml(request, response, chunk)
          received += chunk.length
          hash.update(chunk)
          yield chunk
        }
      },
      createWriteStream(partial, { mode: 0o600 }),
      { signal },
    )
    if (expectedLength !== undefined && received !== expectedLength) throw truncated(request, received, expectedLength)
    const actual = hash.digest('hex')
    if (actual !== request.sha256) {
      throw new DownloadError(
        `${request.what} has the wrong digest: expected sha256 ${request.sha256}, got ${actual} (${received} bytes from ${request.url})`,
        {
          code: 'DOWNLOAD_DIGEST',
          hint: 'The body arrived whole, so the file is not the one pinned: a replaced release, a mirror that serves another build, or tampering. Do not run it.',
        },
      )
    }
    await chmod(partial, request.mode ?? 0o755)
    await rename(partial, request.destination)
  } catch (error) {
    await rm(partial, { force: true })
    throw error instanceof DownloadError ? error : bodyError(request, error, received, expectedLength)
  }
}

/** Follows redirects by hand: bounded, never in a circle, never from https down to http. */
async function follow(request: Download, signal: AbortSignal): Promise<Response> {
  const seen: string[] = []
  let url = request.url
  const limit = request.maxRedirects ?? 5
  for (;;) {
    seen.push(url)
    const response = await requestOnce(request, url, signal)
    if (response.status < 300 || response.status >= 400) return acceptStatus(request, url, response)
    await response.body?.cancel()
    const location = response.headers.get('location')
    if (location === null) throw redirectError(request, `${url} answered ${response.status} without a location`)
    const next = URL.parse(location, url)
    if (next === null) throw redirectError(request, `${url} points to ${JSON.stringify(location)}, which is no URL`)
    if (url.startsWith('https:') && next.protocol !== 'https:') {
      throw redirectError(request, `${url} points to ${next.href}, away from https`)
    }
    if (seen.includes(next.href))
      throw redirectError(request, `redirects go in a circle: ${[...seen, next.href].join(' -> ')}`)
    if (seen.length > limit) throw redirectError(request, `more than ${limit} redirects, the last to ${next.href}`)
    url = next.href
  }
}

async function requestOnce(request: Download, url: string, signal: AbortSignal): Promise<Response> {
  try {
    // identity: a body compressed on the way has another length than the one announced.
    return await fetch(url, { redirect: 'manual', signal, headers: { 'accept-encoding': 'identity' } })
  } catch (error) {
    throw new DownloadError(`${request.what} could not be fetched from ${url}: ${deepestMessage(error)}`, {
      code: 'DOWNLOAD_NETWORK',
      cause: error,
      transient: true,
      hint: networkHint,
    })
  }
}

const networkHint =
  'Where the machine reaches only a mirror, set `download-base-url` to it; where it reaches only package registries, use `image-source: packages`.'

function acceptStatus(request: Download, url: string, response: Response): Response {
  if (response.status === 200) return response
  void response.body?.cancel()
  throw new DownloadError(`${request.what} could not be fetched: ${url} answered HTTP ${response.status}`, {
    code: 'DOWNLOAD_HTTP',
    transient: transientStatus.has(response.status),
    retryAfterMs: retryAfter(response),
    hint:
      response.status === 404
        ? 'The server has no such version; check it, and `download-base-url` if given.'
        : networkHint,
  })
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, longestRetryAfterMs) : undefined
}

function contentLength(response: Response): number | undefined {
  const header = response.headers.get('content-length')
  return header === null || response.headers.has('content-encoding') ? undefined : Number(header)
}

/** A login page or a proxy's apology comes with status 200; as a wrong digest it would be read as tampering. */
function refuseHtml(request: Download, response: Response, firstChunk: Uint8Array): void {
  const type = response.headers.get('content-type') ?? ''
  const start = Buffer.from(firstChunk.subarray(0, 256)).toString('latin1').trimStart().toLowerCase()
  if (!type.startsWith('text/html') && !start.startsWith('<!doctype html') && !start.startsWith('<html')) return
  throw new DownloadError(
    `${request.what} could not be fetched: ${request.url} answered with an HTML page, not the file`,
    {
      code: 'DOWNLOAD_HTML',
      hint: 'A proxy, a login page or a mirror with another path layout answers in its place; open the URL from this machine to see it.',
    },
  )
}

function truncated(request: Download, received: number, expected: number | undefined, cause?: unknown): DownloadError {
  const of = expected === undefined ? '' : ` of ${expected}`
  return new DownloadError(`${request.what} arrived incomplete: ${received}${of} bytes from ${request.url}`, {
    code: 'DOWNLOAD_TRUNCATED',
    cause,
    transient: true,
  })
}

function bodyError(request: Download, error: unknown, received: number, expected: number | undefined): unknown {
  const code = (error as NodeJS.ErrnoException).code
  // The disk's faults are not the network's.
  if (code === 'ENOSPC' || code === 'EACCES' || code === 'EROFS' || code === 'ENOENT') return error
  return truncated(request, received, expected, error)
}

function redirectError(request: Download, what: string): DownloadError {
  return new DownloadError(`${request.what} could not be fetched: ${what}`, {
    code: 'DOWNLOAD_REDIRECT',
    hint: 'A mirror or proxy redirects wrongly; `download-base-url` may point somewhere else.',
  })
}

/** fetch hides the reason (`ECONNREFUSED`, a certificate) in the cause of its `fetch failed`. */
function deepestMessage(error: unknown): string {
  let current = error
  while (current instanceof Error && current.cause !== undefined) current = current.cause
  if (current instanceof AggregateError && current.errors.length > 0) current = current.errors[0]
  return messageOf(current)
}
