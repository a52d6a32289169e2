import { createHash } from 'node:crypto'
import { messageOf, ToolkitError } from '../process/errors.ts'
import { pause } from '../process/wait.ts'

/**
 * The runner's artifact service, version 4 of the protocol, as far as one upload needs it. Twirp over JSON: CreateArtifact gives a signed URL, the archive goes there in
 * one PUT, FinalizeArtifact makes it visible. Read in actions/toolkit packages/artifact at 4b9afa4c (upload-artifact.ts, artifact-twirp-client.ts, util.ts). That
 * package itself brings Azure's storage client along, larger than everything else we ship (docs/decisions.md).
 */
export interface ArtifactService {
  /** ACTIONS_RESULTS_URL. */
  readonly url: string
  /** ACTIONS_RUNTIME_TOKEN; it must never be printed. */
  readonly token: string
}

export interface UploadedArtifact {
  readonly id: string
  readonly bytes: number
}

const method = 'twirp/github.actions.results.api.v1.ArtifactService'
const tries = 3
const pauseMs = 500
const longestText = 300

/** The one answer that another name helps against. */
export class ArtifactExistsError extends ToolkitError {
  constructor(name: string) {
    super(`there is an artifact ${name} already`, { code: 'ARTIFACT_EXISTS' })
  }
}

/**
 * Uploads an archive under a name. Asks again where the service is busy or the connection broke, until `signal` says stop. Rejects with ToolkitError `ARTIFACT_FAILED`
 * (`ARTIFACT_EXISTS` for a name that is taken), whose message holds neither the token nor the signed URL.
 */
export async function uploadArtifact(
  service: ArtifactService,
  name: string,
  archive: Buffer,
  signal: AbortSignal,
  onSecret: (secret: string) => void = () => {},
): Promise<UploadedArtifact> {
  const ids = backendIds(service.token)
  const created = await call(service, 'CreateArtifact', { ...ids, name, version: 4 }, signal)
  const target = created['signed_upload_url'] ?? created['signedUploadUrl']
  if (created['ok'] !== true || typeof target !== 'string') throw failed('CreateArtifact', 'the service did not agree')
  for (const secret of signatures(target)) onSecret(secret)
  await retried('the upload', signal, async () => {
    const response = await fetch(target, {
      method: 'PUT',
      headers: {
        'content-type': 'application/zip',
        'x-ms-blob-type': 'BlockBlob',
        'x-ms-blob-content-type': 'application/zip',
      },
      body: new Uint8Array(archive),
      redirect: 'error',
      signal,
    })
    // To its end: an answer that breaks off is none.
    await response.arrayBuffer()
    return response
  })
  const hash = `sha256:${createHash('sha256').update(archive).digest('hex')}`
  const finished = await call(service, 'FinalizeArtifact', { ...ids, name, size: String(archive.length), hash }, signal)
  if (finished['ok'] !== true) throw failed('FinalizeArtifact', 'the service did not agree')
  return { id: String(finished['artifact_id'] ?? finished['artifactId'] ?? ''), bytes: archive.length }
}

/** Run and job as the service knows them: in the token's scope `Actions.Results:<run>:<job>`. */
export function backendIds(token: string): {
  readonly workflow_run_backend_id: string
  readonly workflow_job_run_backend_id: string
} {
  const [run, job] = /(?:^| )Actions\.Results:([^: ]+):([^: ]+)(?: |$)/.exec(scopeOf(token))?.slice(1) ?? []
  if (run === undefined || job === undefined)
    throw failed('the token', 'it has no scope Actions.Results, so it is no runner’s')
  return { workflow_run_backend_id: run, workflow_job_run_backend_id: job }
}

function scopeOf(token: string): string {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { scp?: unknown }
    return String(claims.scp ?? '')
  } catch {
    return ''
  }
}

async function call(
  service: ArtifactService,
  name: string,
  body: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  // As the toolkit does: whatever path the variable has, the service is at the root.
  const url = new URL(`/${method}/${name}`, service.url)
  let text = ''
  await retried(
    name,
    signal,
    async () => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        // A redirect would carry the token to who knows whom.
        redirect: 'error',
        signal,
      })
      text = await response.text()
      if (response.status === 409) throw new ArtifactExistsError(String(body['name']))
      return response
    },
    () => text,
  )
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  } catch {
    throw failed(name, 'the answer is no JSON')
  }
}

/** What may pass: the server is busy or broken, or the connection was. Anything else is an answer. */
async function retried(
  what: string,
  signal: AbortSignal,
  ask: () => Promise<Response>,
  explain: () => string = () => '',
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let problem: string
    try {
      const response = await ask()
      if (response.ok) return
      problem = `HTTP ${response.status} ${explain()}`.trim().slice(0, longestText)
      if (response.status < 500 && response.status !== 429) throw failed(what, problem)
    } catch (error) {
      if (error instanceof ToolkitError) throw error
      if (signal.aborted) throw failed(what, 'no answer in time')
      // Node says only "fetch failed"; the cause says why. Neither holds the URL.
      problem = messageOf((error instanceof Error && error.cause) || error).slice(0, longestText)
    }
    if (attempt >= tries) throw failed(what, problem)
    await pause(pauseMs * attempt, signal)
  }
}

function signatures(url: string): string[] {
  const signature = new URL(url).searchParams.get('sig')
  return signature === null ? [] : [signature, encodeURIComponent(signature)]
}

function failed(what: string, why: string): ToolkitError {
  return new ToolkitError(`${what}: ${why}`, { code: 'ARTIFACT_FAILED' })
}
