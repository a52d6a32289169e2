import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { messageOf, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { parseImageReference } from './image-reference.ts'

/** An image in an archive. */
export interface ArchivedImage {
  /** As the archive writes it: `shop:1`. */
  readonly rawName: string
  /** As a node looks it up: `docker.io/library/shop:1`. */
  readonly name: string
  /** Digest of its configuration (`docker save`) or of its manifest or index (OCI layout). */
  readonly id: string
}

export interface ImageArchive {
  readonly path: string
  /** Of the file, which may be compressed. */
  readonly bytes: number
  readonly images: readonly ArchivedImage[]
}

const readMs = 300_000

/** What is in an archive, by its own table of contents; a Problem where nothing of it can be loaded. */
export async function readArchive(host: Host, path: string): Promise<ImageArchive | Problem> {
  const problem = (text: string): Problem => ({
    name: 'archives',
    value: path,
    problem: text,
    allowed: 'a tar of `docker save` or an OCI layout, with a name for each image, compressed by gzip or zstd or not',
    example: 'docker save --output shop.tar shop:1',
  })
  try {
    const [oci, docker] = [await member(host, path, 'index.json'), await member(host, path, 'manifest.json')]
    if (oci === undefined && docker === undefined) return problem('has neither manifest.json nor index.json')
    const named = oci === undefined ? dockerImages(docker) : ociImages(oci)
    const images = named.flatMap(({ rawName, id }) => {
      const name = rawName === undefined ? undefined : parseImageReference(rawName)?.name
      return rawName === undefined || name === undefined ? [] : [{ rawName, name, id }]
    })
    if (images.length < named.length || images.length === 0) return problem('holds an image without a name')
    return { path, bytes: (await stat(path)).size, images }
  } catch (error) {
    return problem(`cannot be read: ${messageOf(error)}`)
  }
}

/** The archive uncompressed: the `ctr` of older nodes takes nothing else. */
export async function openArchive(path: string): Promise<Readable> {
  const magic = await firstBytes(path)
  const file = createReadStream(path)
  const unpack = magic.startsWith('1f8b') ? createGunzip() : magic === '28b52ffd' ? createZstdDecompress() : undefined
  if (unpack === undefined) return file
  file.on('error', (error) => unpack.destroy(error))
  unpack.on('close', () => file.destroy())
  return file.pipe(unpack)
}

interface Named {
  readonly rawName: string | undefined
  readonly id: string
}

/** manifest.json: a list of images, each with its tags; the configuration's file is named after its digest. */
function dockerImages(contents: unknown): Named[] {
  const images = contents as readonly { readonly Config: string; readonly RepoTags: readonly string[] | null }[]
  return images.flatMap(({ Config, RepoTags }): Named[] => {
    const id = `sha256:${Config.replace(/^.*\//, '').replace(/\.json$/, '')}`
    return RepoTags === null || RepoTags.length === 0
      ? [{ rawName: undefined, id }]
      : RepoTags.map((rawName) => ({ rawName, id }))
  })
}

/** index.json: containerd's annotation has the whole name; the standard's own has it too, or only the tag. */
function ociImages(contents: unknown): Named[] {
  const { manifests } = contents as {
    readonly manifests: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[]
  }
  return manifests.map(({ digest, annotations }) => {
    const reference = annotations?.['org.opencontainers.image.ref.name']
    const whole = reference !== undefined && /[:/]/.test(reference) ? reference : undefined
    return { rawName: annotations?.['io.containerd.image.name'] ?? whole, id: digest }
  })
}

/** A JSON file of the archive; undefined when it has none of that name. */
async function member(host: Host, path: string, name: string): Promise<unknown> {
  const args = ['--extract', '--to-stdout', '--occurrence=1', '--file', '-', name]
  const { exitCode, stdout, stderr } = await host.exec.run('tar', args, {
    quiet: true,
    allowFailure: true,
    input: await openArchive(path),
    // Its answer is read, so it must not be translated.
    env: { ...host.env, LC_ALL: 'C' },
    timeoutMs: readMs,
  })
  if (exitCode === 0) return JSON.parse(stdout)
  if (/Not found in archive/i.test(stderr)) return undefined
  throw new Error(stderr.trim().split('\n')[0] ?? `tar ended with ${exitCode}`)
}

async function firstBytes(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.subarray(0, bytesRead).toString('hex')
  } finally {
    await file.close()
  }
}
