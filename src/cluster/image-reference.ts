/** A name of an image, written out as a node looks it up. */
export interface ImageReference {
  /** `docker.io/library/shop:1` or `docker.io/library/shop@sha256:...`. */
  readonly name: string
  readonly host: string
  /** Within the host: `library/shop`. */
  readonly repository: string
  readonly tag: string | undefined
  /** With a digest the tag counts for nothing, so it is left out. */
  readonly digest: string | undefined
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const form = new RegExp(
  `^(?:((?:[a-zA-Z0-9.-]+\\.[a-zA-Z0-9.-]+|localhost|[a-zA-Z0-9.-]+(?=:\\d+/))(?::\\d+)?)/)?(${component}(?:/${component})*)(?::([\\w][\\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
)

/**
 * Reads a name by the rules that Docker and the kubelet share: without a host it is docker.io's, without a folder there it is `library`'s, without a tag
 * `latest`. undefined for what is no name.
 */
export function parseImageReference(text: string): ImageReference | undefined {
  const match = form.exec(text)
  if (match?.[2] === undefined) return undefined
  const given = match[1]
  const host = given === undefined || given === 'index.docker.io' ? 'docker.io' : given
  const repository = host === 'docker.io' && !match[2].includes('/') ? `library/${match[2]}` : match[2]
  const digest = match[4]
  const tag = digest === undefined ? (match[3] ?? 'latest') : undefined
  const name = digest === undefined ? `${host}/${repository}:${tag}` : `${host}/${repository}@${digest}`
  return { name, host, repository, tag, digest }
}
