import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CancelledError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds, pause } from '../process/wait.ts'
import { DownloadError } from './download-error.ts'
import { follow, networkHint } from './follow-redirects.ts'
import { IdleTimer } from './idle-timer.ts'

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
  /** For all tries together. Default 5 minutes. */
  readonly timeoutMs?: number
  /** A try ends when nothing has come for so long. Default 30 s. */
  readonly idleMs?: number
}

/**
 * Streams a file to disk, hashing as it goes, and renames it into place only when the digest is right. Transient errors are tried again with back-off;
 * rejects with {@link DownloadError}, whose code says which kind of failure it was.
 */
export async function download(host: Pick<Host, 'log' | 'signal'>, request: Download): Promise<void> {
  const attempts = request.attempts ?? 4
  const deadline = AbortSignal.timeout(request.timeoutMs ?? defaultTimeoutMs)
  for (let attempt = 1; ; attempt++) {
    const idle = new IdleTimer(request.idleMs ?? defaultIdleMs)
    try {
      await downloadOnce(request, AbortSignal.any([host.signal, deadline, idle.signal]), idle)
      return
    } catch (failure) {
      if (host.signal.aborted) throw new CancelledError(`cancelled while downloading ${request.what}`)
      const error = deadline.aborted || idle.signal.aborted ? late(request, idle.received, deadline.aborted) : failure
      if (!(error instanceof DownloadError) || !error.transient || attempt >= attempts) throw error
      const waitMs = error.retryAfterMs ?? (request.backOffMs ?? 1_000) * 2 ** (attempt - 1)
      host.log.info(`${error.message}; try ${attempt + 1} of ${attempts} in ${formatSeconds(waitMs)}`)
      await pause(waitMs, host.signal)
    } finally {
      idle.stop()
    }
  }
}

const defaultTimeoutMs = 300_000
const defaultIdleMs = 30_000

function late(request: Download, received: number, atAll: boolean): DownloadError {
  const seconds = formatSeconds(atAll ? (request.timeoutMs ?? defaultTimeoutMs) : (request.idleMs ?? defaultIdleMs))
  const what = atAll ? `is not there after ${seconds}` : `stalled: next to nothing came for ${seconds}`
  return new DownloadError(`${request.what} ${what} (${received} bytes from ${request.url})`, {
    code: 'DOWNLOAD_TIMEOUT',
    transient: !atAll,
    hint: networkHint,
  })
}

async function downloadOnce(request: Download, signal: AbortSignal, idle: IdleTimer): Promise<void> {
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
          idle.progress(chunk.length)
          hash.update(chunk)
          yield chunk
        }
      },
      createWriteStream(partial, { mode: 0o600 }),
      { signal },
    )
    if (expectedLength !== undefined && received !== expectedLength) throw truncated(request, received, expectedLength)
    const actual = hash.digest('hex')
    if (actual !== request.sha256 && response.headers.has('content-encoding')) throw encoded(request, response)
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
    if (error instanceof DownloadError) throw error
    throw isDecoding(error) ? encoded(request, response, error) : bodyError(request, error, received, expectedLength)
  }
}

function contentLength(response: Response): number | undefined {
  const header = response.headers.get('content-length')
  return header === null || response.headers.has('content-encoding') ? undefined : Number(header)
}

/** A login page or a proxy's apology comes with status 200; as a wrong digest it would be read as tampering. */
function refuseHtml(request: Download, response: Response, firstChunk: Uint8Array): void {
  const type = response.headers.get('content-type') ?? ''
  const start = Buffer.from(firstChunk.subarray(0, 256)).toString('latin1').trimStart().toLowerCase()
  // No program and no archive begins like that; pages, comments before pages, and the XML of object stores do.
  if (!type.startsWith('text/html') && !start.startsWith('<')) return
  throw new DownloadError(
    `${request.what} could not be fetched: ${request.url} answered with an HTML page, not the file`,
    {
      code: 'DOWNLOAD_HTML',
      hint: 'A proxy, a login page or a mirror with another path layout answers in its place; open the URL from this machine to see it.',
    },
  )
}

/** fetch unpacks what is marked as packed. We asked for it as it is, so somebody on the way packs, or marks as packed what only is an archive. */
function encoded(request: Download, response: Response, cause?: unknown): DownloadError {
  const encoding = response.headers.get('content-encoding')
  return new DownloadError(
    `${request.what} came with content-encoding ${encoding}, unasked, and unpacked it is not the file that is pinned (${request.url})`,
    {
      code: 'DOWNLOAD_ENCODING',
      cause,
      hint: 'The server or a proxy must send the file as it is: archives that are stored with a content-encoding lose their packing on the way.',
    },
  )
}

/** zlib's errors. */
function isDecoding(error: unknown): boolean {
  const causes = [error, (error as { cause?: unknown }).cause]
  return causes.some((cause) => String((cause as NodeJS.ErrnoException | undefined)?.code).startsWith('Z_'))
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
