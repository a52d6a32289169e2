import { InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { nearestName } from '../process/nearest-name.ts'
import { dockerImageNames, findDockerImage } from './docker-images.ts'
import { type ImageArchive, readArchive } from './image-archive.ts'
import { type ImageReference, parseImageReference } from './image-reference.ts'

/** An image to load, and what tells that a node has this very one. */
export interface WantedImage {
  readonly reference: ImageReference
  /** Digests it may be known by: of its configuration, its manifest or its index. */
  readonly ids: readonly string[]
  readonly bytes: number
  readonly from: { readonly docker: string } | { readonly archive: ImageArchive; readonly rawName: string }
}

/** Everything that is asked for, found; else one InputError with every name and path that cannot be. */
export async function wantedImages(
  host: Host,
  request: { readonly images: readonly string[]; readonly archives: readonly string[] },
  architecture: string,
): Promise<readonly WantedImage[]> {
  const problems: Problem[] = []
  const isProblem = (found: WantedImage | Problem): found is Problem => 'problem' in found
  const found: WantedImage[] = []
  for (const name of new Set(request.images)) {
    const image = await fromDocker(host, name, architecture)
    if (isProblem(image)) problems.push(image)
    else found.push(image)
  }
  for (const path of new Set(request.archives)) {
    const archive = await readArchive(host, path)
    if ('problem' in archive) problems.push(archive)
    else found.push(...archive.images.map(({ rawName, name, id }) => fromArchive(archive, rawName, name, id)))
  }
  const byName = Map.groupBy(found, (image) => image.reference.name)
  for (const [name, images] of byName) {
    if (images.length > 1) problems.push({ name: 'images', value: name, problem: 'is asked for more than once' })
  }
  if (problems.length > 0) throw new InputError(problems)
  return found
}

async function fromDocker(host: Host, name: string, architecture: string): Promise<WantedImage | Problem> {
  const reference = parseImageReference(name)
  const problem = (text: string, allowed: string): Problem => ({ name: 'images', value: name, problem: text, allowed })
  if (reference === undefined) {
    return { ...problem('is no name of an image', '[host/]repository[:tag][@sha256:...]'), example: 'shop:1' }
  }
  const image = await findDockerImage(host, name)
  if (image === undefined) {
    const known = await dockerImageNames(host)
    const nearest = nearestName(name, known)
    const near = nearest === undefined ? '' : `; nearest: ${nearest}`
    return problem(`is not in the local Docker${near}`, 'an image that `docker images` lists, or `archives`')
  }
  if (image.architecture !== '' && image.architecture !== architecture) {
    return problem(`is built for ${image.architecture}`, `images for ${architecture}, as the nodes are`)
  }
  return { reference, ids: [image.id], bytes: image.bytes, from: { docker: name } }
}

function fromArchive(archive: ImageArchive, rawName: string, name: string, id: string): WantedImage {
  const reference = parseImageReference(name)
  if (reference === undefined) throw new Error(`${archive.path} was read wrongly: ${name}`)
  return { reference, ids: [id], bytes: archive.bytes, from: { archive, rawName } }
}
