import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How the service misbehaves: at one of its three requests, once or for ever. */
export interface ArtifactFault {
  readonly at: 'create' | 'upload' | 'finalize'
  readonly how:
    | { readonly status: number; readonly body?: string }
    /** Never answers. */
    | 'hang'
    /** Closes the connection in the middle of the answer, or while it is still being sent the archive. */
    | 'close'
    | 'redirect'
  /** How often; default is always. */
  readonly times?: number
}

export interface StoredArtifact {
  readonly name: string
  readonly archive: Buffer
}

/** The runner's artifact service, version 4, on this machine: as strict as the real one about tokens, ids, names, sizes and digests. */
export interface FakeArtifactService {
  readonly url: string
  readonly token: string
  /** The part of the signed URL that must stay secret. */
  readonly signature: string
  /** Finished ones only. */
  readonly artifacts: readonly StoredArtifact[]
  readonly requests: readonly string[]
  close(): Promise<void>
}

const run = 'ce7f54c7-61c7-4aae-887f-30da475f5f1a'
const job = 'ca395085-040a-526b-2ce8-bdc85f692774'

export async function startArtifactService(fault?: ArtifactFault): Promise<FakeArtifactService> {
  const token = tokenFor(`Actions.Other:x Actions.Results:${run}:${job}`)
  const signature = `sig+${randomUUID()}`
  const created = new Map<string, Buffer | undefined>()
  const artifacts: StoredArtifact[] = []
  const requests: string[] = []
  let faults = 0
  let origin = ''

  const misbehave = (at: ArtifactFault['at'], request: IncomingMessage, response: ServerResponse): boolean => {
    if (fault?.at !== at || faults >= (fault.times ?? Number.POSITIVE_INFINITY)) return false
    faults += 1
    const { how } = fault
    if (how === 'hang') return true
    if (how === 'close') {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"ok": tr', () => request.socket.destroy())
    } else if (how === 'redirect') response.writeHead(307, { location: `${origin}/elsewhere` }).end()
    else response.writeHead(how.status).end(how.body ?? '{"code":"unavailable","msg":"busy"}')
    return true
  }
  const twirp = (name: string, body: Record<string, unknown>, authorization: string | undefined): Answer => {
    if (authorization !== `Bearer ${token}`) return refusal(401, 'unauthenticated', 'no')
    if (body['workflow_run_backend_id'] !== run || body['workflow_job_run_backend_id'] !== job)
      return refusal(400, 'invalid_argument', 'backend ids')
    const artifact = String(body['name'])
    if (name === 'CreateArtifact') {
      if (/["':<>|*?\\/\r\n]/.test(artifact) || artifact === '') return refusal(400, 'invalid_argument', 'name')
      if (body['version'] !== 4) return refusal(400, 'invalid_argument', 'version')
      if (created.has(artifact)) return refusal(409, 'already_exists', 'an artifact with this name already exists')
      created.set(artifact, undefined)
      const signed = new URL(`/blob/${encodeURIComponent(artifact)}`, origin)
      signed.searchParams.set('sig', signature)
      return { status: 200, body: { ok: true, signed_upload_url: signed.href } }
    }
    const archive = created.get(artifact)
    const digest = archive === undefined ? '' : `sha256:${createHash('sha256').update(archive).digest('hex')}`
    if (archive === undefined || body['size'] !== String(archive.length) || body['hash'] !== digest)
      return refusal(400, 'invalid_argument', 'size or hash')
    artifacts.push({ name: artifact, archive })
    return { status: 200, body: { ok: true, artifact_id: String(artifacts.length) } }
  }
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', origin)
    requests.push(`${request.method} ${url.pathname}`)
    const isUpload = url.pathname.startsWith('/blob/')
    const method = /\/twirp\/github\.actions\.results\.api\.v1\.ArtifactService\/(\w+)$/.exec(url.pathname)?.[1]
    const at = isUpload ? 'upload' : method === 'CreateArtifact' ? 'create' : 'finalize'
    if (misbehave(at, request, response)) return
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    if (isUpload) {
      const name = decodeURIComponent(url.pathname.slice('/blob/'.length))
      const fine =
        request.method === 'PUT' &&
        url.searchParams.get('sig') === signature &&
        request.headers['x-ms-blob-type'] === 'BlockBlob' &&
        // Storage must not be told the runner's token.
        request.headers.authorization === undefined
      if (fine) created.set(name, body)
      response.writeHead(fine ? 201 : 403).end()
    } else if (method === undefined) response.writeHead(404).end()
    else {
      const answer = twirp(
        method,
        JSON.parse(body.toString()) as Record<string, unknown>,
        request.headers.authorization,
      )
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `${origin}/`,
    token,
    signature,
    artifacts,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

interface Answer {
  readonly status: number
  readonly body: object
}

function refusal(status: number, code: string, msg: string): Answer {
  return { status, body: { code, msg } }
}

/** Shaped like the runner's; nobody checks its signature here. */
export function tokenFor(scope: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ scp: scope })}.${randomUUID()}`
}
