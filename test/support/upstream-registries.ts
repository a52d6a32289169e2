import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Host } from '../../src/process/host.ts'

const run = promisify(execFile)

/** Plays the world's registries: a mirror whose repositories are named `<upstream host>/<repository>`. */
export interface UpstreamRegistries {
  /** `172.30.77.1:41234`, https. */
  readonly address: string
  /** PEM of the certificate that its users must trust. */
  readonly certificate: string
  /** `GET docker.io/library/redis/manifests/7.0 from 172.30.77.3`, every request answered. */
  readonly requests: string[]
  close(): Promise<void>
}

export interface UpstreamOptions {
  /** Address of this machine to listen on; who asks must reach it. */
  readonly listen: string
  /** Folder of a registry's content, as the toolkit's own registry keeps it. */
  readonly storage: string
  /** Folder for key and certificate. */
  readonly folder: string
  /** Name here -> name in the storage, for what is published elsewhere than it was built. */
  readonly aliases?: Readonly<Record<string, string>>
  /** Manifests that the storage has not: `docker.io/kindest/node@sha256:...` -> text. */
  readonly manifests?: Readonly<Record<string, string>>
  /** Answers a request in its own way; false leaves it to the registry. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** The registry API, to read, over the files of the distribution project's registry: no copy is made of hundreds of megabytes. */
export async function startUpstreamRegistries(options: UpstreamOptions): Promise<UpstreamRegistries> {
  const { key, cert } = await selfSigned(options.folder, options.listen)
  const requests: string[] = []
  const server = createServer({ key, cert }, (request, response) => {
    response.on('finish', () => requests.push(describe(request, response)))
    if (options.intercept?.(request, response) === true) return
    answer(options, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, options.listen, resolve))
  const { port } = server.address() as AddressInfo
  return {
    address: `${options.listen}:${port}`,
    certificate: cert,
    requests,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function describe(request: IncomingMessage, response: ServerResponse): string {
  const from = (request.socket.remoteAddress ?? '').replace('::ffff:', '')
  return `${response.statusCode} ${request.method} ${request.url?.replace('/v2/', '')} from ${from}`
}

async function answer(options: UpstreamOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('docker-distribution-api-version', 'registry/2.0')
  const url = new URL(request.url ?? '/', 'https://registry.invalid').pathname
  if (url === '/v2/') {
    response.end('{}')
    return
  }
  const [, name = '', kind = '', reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? []
  const repository = options.aliases?.[name] ?? name
  const found =
    kind === 'manifests'
      ? await manifest(options, name, repository, reference)
      : await blob(options.storage, reference, 'application/octet-stream')
  if (found === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not here"}]}')
    return
  }
  response.writeHead(200, {
    'content-type': found.type,
    'content-length': found.bytes,
    'docker-content-digest': found.digest,
  })
  if (request.method === 'HEAD') response.end()
  else if ('text' in found) response.end(found.text)
  else createReadStream(found.file).pipe(response)
}

type Found = { readonly digest: string; readonly type: string; readonly bytes: number } & (
  | { readonly text: string }
  | { readonly file: string }
)

async function manifest(
  options: UpstreamOptions,
  name: string,
  repository: string,
  reference: string,
): Promise<Found | undefined> {
  const own = options.manifests?.[`${name}@${reference}`]
  if (own !== undefined) return { digest: reference, type: mediaType(own), bytes: Buffer.byteLength(own), text: own }
  const manifests = path.join(options.storage, 'repositories', repository, '_manifests')
  const link = reference.startsWith('sha256:')
    ? path.join(manifests, 'revisions', reference.replace(':', '/'), 'link')
    : path.join(manifests, 'tags', reference, 'current', 'link')
  const digest = await readFile(link, 'utf8').catch(() => undefined)
  if (digest === undefined) return undefined
  const found = await blob(options.storage, digest, '')
  return found === undefined ? undefined : { ...found, type: mediaType(await readFile(found.file, 'utf8')) }
}

function mediaType(text: string): string {
  return (JSON.parse(text) as { mediaType: string }).mediaType
}

async function blob(storage: string, digest: string, type: string): Promise<(Found & { file: string }) | undefined> {
  const hex = digest.replace('sha256:', '')
  const file = path.join(storage, 'blobs', 'sha256', hex.slice(0, 2), hex, 'data')
  const found = await stat(file).catch(() => undefined)
  return found === undefined ? undefined : { digest, type, bytes: found.size, file }
}

/** Digest of what a tag stands for in the storage. */
export async function digestInStorage(storage: string, repository: string, tag: string): Promise<string> {
  return readFile(path.join(storage, 'repositories', repository, '_manifests', 'tags', tag, 'current', 'link'), 'utf8')
}

async function selfSigned(folder: string, address: string): Promise<{ key: string; cert: string }> {
  await mkdir(folder, { recursive: true })
  const [keyFile, certFile] = [path.join(folder, 'key.pem'), path.join(folder, 'certificate.pem')]
  const subject = ['-subj', '/CN=k8s-platform test mirror', '-addext', `subjectAltName=IP:${address}`]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile]
  await run('openssl', ['req', '-x509', ...key, '-out', certFile, '-days', '2', ...subject])
  return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') }
}

/**
 * Manifest of an image that the local Docker has and the storage has not. Docker looks for the configuration first, has it, and asks for no layer: so their sizes are not
 * needed, and hundreds of megabytes are not packed for nothing.
 */
export async function nodeImageManifest(host: Host, image: string): Promise<{ digest: string; text: string }> {
  const args = ['image', 'inspect', '--format', '{{.Id}}\t{{json .RootFS.Layers}}', image]
  const [id = '', layersText = ''] = (await host.exec.run('docker', args, { quiet: true })).stdout.split('\t')
  const layers = JSON.parse(layersText) as string[]
  const type = 'application/vnd.docker'
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: `${type}.distribution.manifest.v2+json`,
    config: { mediaType: `${type}.container.image.v1+json`, size: 1, digest: id },
    layers: layers.map((digest) => ({ mediaType: `${type}.image.rootfs.diff.tar`, size: 1, digest })),
  })
  return { digest: `sha256:${createHash('sha256').update(text).digest('hex')}`, text }
}
