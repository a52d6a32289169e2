import { InputError } from '../process/errors.ts'
import { parseImageReference } from './image-reference.ts'

/** The registries whose images a node may ask for by their upstream name. */
export const mirroredHosts = ['docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io', 'public.ecr.aws', 'gcr.io'] as const

/** Where an upstream host's own API lives, as far as it is not at the host itself. */
const apiHosts: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' }

/** Upstream host -> base URL of a registry that serves its repositories. */
export type RegistryMirrors = Readonly<Record<string, string>>

const credentialsFault = 'holds credentials, which are not supported: every pod of a node could read them'

/**
 * Parses `registry-mirror`: entries separated by white space or commas, each `<upstream host>=<url>`, `*=<url with {host}>`, or a bare URL, which mirrors docker.io as
 * in Docker's own `registry-mirrors`. A URL may have a path: the prefix under which the repositories lie. Throws InputError with every problem.
 */
export function parseRegistryMirrors(text: string | undefined): RegistryMirrors {
  const problems: { name: string; value: string; problem: string; allowed: string; example: string }[] = []
  const mirrors: Record<string, string> = Object.create(null)
  for (const entry of (text ?? '').split(/[\s,]+/).filter((part) => part !== '')) {
    const separator = entry.indexOf('=')
    const host = separator === -1 ? 'docker.io' : entry.slice(0, separator)
    const url = separator === -1 ? entry : entry.slice(separator + 1)
    const parsed = URL.parse(url.replaceAll('{host}', 'host.invalid'))
    const fault =
      parsed === null || (parsed.protocol !== 'https:' && parsed.protocol !== 'http:')
        ? 'is not an http or https URL'
        : parsed.username !== '' || parsed.password !== ''
          ? credentialsFault
          : host !== '*' && !/^[a-z0-9.-]+(:\d+)?$/.test(host)
            ? 'does not name an upstream host'
            : undefined
    if (fault !== undefined) {
      problems.push({
        name: 'registry-mirror',
        value: parsed !== null && fault === credentialsFault ? '***' : entry,
        problem: fault,
        allowed: 'a URL (mirrors docker.io), <upstream host>=<url>, or *=<url with {host}>',
        example: 'https://mirror.example.com or *=https://mirror.example.com/{host}',
      })
      continue
    }
    for (const name of host === '*' ? mirroredHosts : [host])
      mirrors[name] ??= url.replaceAll('{host}', name).replace(/\/+$/, '')
  }
  if (problems.length > 0) throw new InputError(problems)
  return mirrors
}

/** Host and nodes use a mirror by one URL, and to a node the loopback is the node. @throws InputError */
export function refuseLoopback(mirrors: RegistryMirrors): void {
  const problems = [...new Set(Object.values(mirrors))]
    .filter((url) => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.*\.localhost)$/.test(new URL(url).hostname))
    .map((url) => ({
      name: 'registry-mirror',
      value: url,
      problem: 'is an address that means the node itself inside of a node',
      allowed: "a name or address of this machine that its containers reach, such as Docker's gateway address",
      example: 'https://172.17.0.1:5443',
    }))
  if (problems.length > 0) throw new InputError(problems)
}

/**
 * The name under which the host's Docker pulls an image through its mirror, or the name itself where there is none.
 * `docker.io/kindest/node:v1@sha256:…` with docker.io=https://m/dh becomes `m/dh/kindest/node:v1@sha256:…`.
 */
export function mirroredImage(image: string, mirrors: RegistryMirrors): string {
  const reference = parseImageReference(image)
  const mirror = reference === undefined ? undefined : mirrors[reference.host]
  if (reference === undefined || mirror === undefined) return image
  const { host, pathname } = new URL(mirror)
  // A tag beside a digest is for people, and stays.
  const version = /(?:[:@][^/]*)?$/.exec(image)?.[0] ?? ''
  return `${host}${pathname.replace(/\/+$/, '')}/${reference.repository}${version}`
}

/** The containerd configuration of one registry host: `/etc/containerd/certs.d/<host>/hosts.toml`. */
export interface HostsFile {
  readonly host: string
  readonly content: string
}

export interface NodeMirrors {
  /** The cluster's own registry as nodes reach it, `http://demo-registry:5000`; undefined without one. */
  readonly registry?: string
  /** Registry of what was loaded into this cluster alone; nodes ask it before the others. */
  readonly loaded?: string
  /** Host port of that registry: images pushed to `127.0.0.1:<port>/...` are pulled by that very name. */
  readonly registryPort?: number
  readonly upstream: RegistryMirrors
  /** The registry has all there is: a miss is a clean NotFound, and no node tries the outside. */
  readonly sealed: boolean
}

/** hosts.toml for every mirrored host, in the order a pull tries them: what was loaded, own registry, given mirror, the upstream itself. */
export function hostsFiles(mirrors: NodeMirrors): HostsFile[] {
  const hosts = [...new Set<string>([...mirroredHosts, ...Object.keys(mirrors.upstream)])]
  const files: HostsFile[] = []
  for (const host of hosts) {
    const own = mirrors.registry === undefined ? undefined : `${mirrors.registry}/v2/${host}`
    const upstream = mirrors.upstream[host]
    const loaded = mirrors.loaded === undefined ? undefined : `${mirrors.loaded}/v2/${host}`
    const given = upstream === undefined ? undefined : apiBase(upstream)
    const tried = [loaded, own, given].filter((url) => url !== undefined)
    if (tried.length === 0) continue
    // containerd asks `server` after the others; pointed at the mirror itself, a miss ends there instead of at the real host.
    const server =
      mirrors.sealed && own !== undefined
        ? [`server = ${JSON.stringify(own)}`, 'override_path = true']
        : [`server = ${JSON.stringify(`https://${apiHosts[host] ?? host}`)}`]
    files.push({ host, content: `${[...server, ...tried.map(hostTable)].join('\n')}\n` })
  }
  if (mirrors.registry !== undefined && mirrors.registryPort !== undefined) {
    for (const name of ['127.0.0.1', 'localhost']) {
      files.push({
        host: `${name}:${mirrors.registryPort}`,
        content: `server = ${JSON.stringify(mirrors.registry)}\n\n[host.${JSON.stringify(mirrors.registry)}]\n  capabilities = ["pull", "resolve"]\n`,
      })
    }
  }
  return files
}

/** A path in a mirror's URL is a prefix of the repositories, so it goes behind `/v2`. */
function apiBase(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}/v2${pathname.replace(/\/+$/, '')}`
}

function hostTable(url: string): string {
  return `\n[host.${JSON.stringify(url)}]\n  capabilities = ["pull", "resolve"]\n  override_path = true`
}
