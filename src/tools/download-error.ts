import { ToolkitError } from '../process/errors.ts'

/**
 * Why a download failed. The codes are kept apart because the cures are: a flaky network (`DOWNLOAD_NETWORK`, `DOWNLOAD_TRUNCATED`, `DOWNLOAD_TIMEOUT`), a server that says no
 * (`DOWNLOAD_HTTP`), something in between that answers for it or changes what it says (`DOWNLOAD_HTML`, `DOWNLOAD_REDIRECT`, `DOWNLOAD_ENCODING`), and a file that is not the one we pinned
 * (`DOWNLOAD_DIGEST`), which alone may mean tampering.
 */
export type DownloadErrorCode =
  | 'DOWNLOAD_NETWORK'
  | 'DOWNLOAD_TRUNCATED'
  | 'DOWNLOAD_TIMEOUT'
  | 'DOWNLOAD_ENCODING'
  | 'DOWNLOAD_HTTP'
  | 'DOWNLOAD_HTML'
  | 'DOWNLOAD_REDIRECT'
  | 'DOWNLOAD_DIGEST'

export class DownloadError extends ToolkitError {
  /** Worth another try: the same request may well succeed. */
  readonly transient: boolean
  /** Milliseconds the server asked us to stay away. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    details: {
      readonly code: DownloadErrorCode
      readonly hint?: string
      readonly cause?: unknown
      readonly transient?: boolean
      readonly retryAfterMs?: number | undefined
    },
  ) {
    super(message, {
      code: details.code,
      cause: details.cause,
      ...(details.hint === undefined ? {} : { hint: details.hint }),
    })
    this.transient = details.transient ?? false
    this.retryAfterMs = details.retryAfterMs
  }
}
