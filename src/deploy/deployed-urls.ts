import type { Kubernetes } from '../kubernetes/client.ts'
import { describeRef, type KubeObject, refOf } from '../kubernetes/objects.ts'
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
export async function deployedUrls(kubernetes: Kubernetes, objects: readonly KubeObject[]): Promise<DeployedUrl[]> {
  const exposed = objects.filter((object) => isExposed(object))
  if (exposed.length === 0) return []
  const [urlOf, live] = await Promise.all([
    urlResolver(kubernetes),
    Promise.all(exposed.map((object) => kubernetes.get(refOf(object)))),
  ])
  return live.flatMap((object) => {
    if (object === undefined) return []
    return object.kind === 'Ingress' ? ingressUrls(object) : serviceUrls(object, urlOf)
  })
}

function isExposed({ apiVersion, kind }: KubeObject): boolean {
  return (apiVersion === 'v1' && kind === 'Service') || (apiVersion === 'networking.k8s.io/v1' && kind === 'Ingress')
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
