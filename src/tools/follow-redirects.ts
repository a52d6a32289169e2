import { messageOf } from '../process/errors.ts'
import type { Download } from './download.ts'
import { DownloadError } from './download-error.ts'

/** A server may ask for hours; a job has not got them. */
const longestRetryAfterMs = 30_000
const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504])

/** Follows redirects by hand: bounded, never in a circle, never from https down to http. */
export async function follow(request: Download, signal: AbortSignal): Promise<Response> {
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
      transient: !isCertificate(error),
      hint: isCertificate(error)
        ? 'Its authority is not among those that Node trusts: set NODE_EXTRA_CA_CERTS to a PEM file of it for this step.'
        : networkHint,
    })
  }
}

export const networkHint =
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

/** Seconds, or a date, which is told by the server's own clock. */
function retryAfter(response: Response): number | undefined {
  const text = response.headers.get('retry-after') ?? ''
  const date = Date.parse(text) - Date.parse(response.headers.get('date') ?? '')
  const waitMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : date
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, waitMs), longestRetryAfterMs) : undefined
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

/** Whom we do not trust now we do not trust a second later. */
function isCertificate(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code ?? '')
}
