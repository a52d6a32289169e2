import { ApiError } from '../kubernetes/api-error.ts'
import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, refOf } from '../kubernetes/objects.ts'
import type { Host } from '../process/host.ts'
import { type UrlOf, urlResolver } from './node-port-urls.ts'

/** An address at which this machine reaches a deployed object; of an Ingress, the address it answers to by name. */
export interface DeployedUrl {
  /** `Service shop/web` */
  readonly object: string
  /** Name of the port, or its number; the path of an Ingress. */
  readonly port: string
  readonly url: string
}

/** Addresses of the Services and Ingresses among the objects, read afresh: the cluster hands out ports and addresses late. */
export async function deployedUrls(
  host: Pick<Host, 'log'>,
  kubernetes: Kubernetes,
  objects: readonly KubeObject[],
): Promise<DeployedUrl[]> {
  const services = objects.filter(isExposed)
  const ingresses = objects.filter(isIngress)
  const live = (wanted: readonly KubeObject[]): Promise<(KubeObject | undefined)[]> =>
    Promise.all(wanted.map((object) => kubernetes.get(refOf(object))))
  const [urlOf, liveServices, liveIngresses] = await Promise.all([
    services.length === 0 ? unreachable : resolver(host, kubernetes),
    live(services),
    live(ingresses),
  ])
  return [
    ...liveServices.flatMap((service) => (service === undefined ? [] : serviceUrls(service, urlOf))),
    ...liveIngresses.flatMap((ingress) => (ingress === undefined ? [] : ingressUrls(ingress))),
  ]
}

/** Only these are worth asking for nodes and host ports. */
export function isExposed({ apiVersion, kind, ...object }: KubeObject): boolean {
  return apiVersion === 'v1' && kind === 'Service' && ['NodePort', 'LoadBalancer'].includes(object['spec']?.type)
}

function isIngress({ apiVersion, kind }: KubeObject): boolean {
  return apiVersion === 'networking.k8s.io/v1' && kind === 'Ingress'
}

const unreachable: UrlOf = () => undefined

/** What is deployed and ready does not turn red because its address may not be read. */
async function resolver(host: Pick<Host, 'log'>, kubernetes: Kubernetes): Promise<UrlOf> {
  try {
    return await urlResolver(kubernetes)
  } catch (error) {
    if (!(error instanceof ApiError && (error.status === 401 || error.status === 403))) throw error
    host.log.notice(`no URL is told for NodePorts: ${error.answer}`)
    return unreachable
  }
}

interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly nodePort?: number
  readonly protocol?: string
}

function serviceUrls(service: KubeObject, urlOf: UrlOf): DeployedUrl[] {
  const { type, ports = [] } = service['spec'] as { type: string; ports?: readonly ServicePort[] }
  const address = addressOf(service)
  return ports.flatMap((port) => {
    if ((port.protocol ?? 'TCP') !== 'TCP') return []
    const secure = port.port === 443 || port.name?.startsWith('https') === true
    const url =
      type === 'LoadBalancer' && address !== undefined
        ? `http://${address}${port.port === (secure ? 443 : 80) ? '' : `:${port.port}`}`
        : urlOf({ type: port.nodePort === undefined ? type : 'NodePort', nodePort: port.nodePort ?? null })
    if (url === undefined || type === 'ClusterIP') return []
    const found = secure ? url.replace(/^http:/, 'https:') : url
    return [{ object: describeRef(refOf(service)), port: port.name ?? String(port.port), url: found }]
  })
}

interface IngressRule {
  readonly host?: string
  readonly http?: { readonly paths?: readonly { readonly path?: string }[] }
}

function ingressUrls(ingress: KubeObject): DeployedUrl[] {
  const { rules = [], tls = [] } = (ingress['spec'] ?? {}) as {
    rules?: readonly IngressRule[]
    tls?: readonly { readonly hosts?: readonly string[] }[]
  }
  const secure = new Set(tls.flatMap(({ hosts = [] }) => hosts))
  return rules.flatMap((rule) => {
    const host = rule.host ?? addressOf(ingress)
    if (host === undefined) return []
    const scheme = secure.has(host) ? 'https' : 'http'
    const paths = [...new Set((rule.http?.paths ?? [{}]).map(({ path }) => path ?? '/'))]
    const object = describeRef(refOf(ingress))
    return paths.map((path) => ({ object, port: path, url: `${scheme}://${host}${path === '/' ? '' : path}` }))
  })
}

function addressOf(object: KubeObject): string | undefined {
  const [first] = (object['status']?.loadBalancer?.ingress ?? []) as { ip?: string; hostname?: string }[]
  const address = first?.ip ?? first?.hostname
  return address?.includes(':') === true ? `[${address}]` : address
}
