import type { Kubernetes } from '../../kubernetes/client.ts'
import type { KubeObject } from '../../kubernetes/objects.ts'
import type { DnsRequest, RecordType } from '../../probe/protocol.ts'
import { NotReadyError } from '../../process/errors.ts'
import { addressesOf, endpointsOf, listSlices } from '../endpoints.ts'
import { externalNameTarget, probePortName, runLabel } from '../probe-manifests.ts'
import type { Fleet } from '../probe-pods.ts'

/** One name, what is asked about it and what must be answered. Asked over UDP and over TCP, from every node. */
export interface Question {
  readonly name: string
  readonly type: RecordType
  readonly search?: boolean
  readonly expected: readonly string[]
  /** `all`: exactly this set. `some`: these at least (a pod address may have names by several Services). */
  readonly match?: 'all' | 'some'
  /** A CNAME that must have been passed. */
  readonly alias?: string
  readonly server?: DnsRequest['server']
}

const isIpv6 = (address: string): boolean => address.includes(':')

/** One A question for the IPv4 addresses, one AAAA for the IPv6 ones. */
function addressQuestions(name: string, addresses: readonly string[], more: Partial<Question> = {}): Question[] {
  const v4 = addresses.filter((address) => !isIpv6(address))
  const v6 = addresses.filter(isIpv6)
  return [
    ...(v4.length > 0 ? [{ name, type: 'A', expected: v4, ...more } as const] : []),
    ...(v6.length > 0 ? [{ name, type: 'AAAA', expected: v6, ...more } as const] : []),
  ]
}

const serviceKind = { apiVersion: 'v1', kind: 'Service' } as const

function nameOf(fleet: Fleet, namespace: string, service: string): string {
  return `${service}.${namespace}.svc.${fleet.clusterDomain}`
}

function clusterIps(service: KubeObject | undefined): string[] {
  const ips: string[] = service?.['spec']?.clusterIPs ?? [service?.['spec']?.clusterIP ?? '']
  return ips.filter((ip) => ip !== '' && ip !== 'None')
}

const isNobodysProbe = (service: KubeObject): boolean => service.metadata.labels?.[runLabel] === undefined

async function listServices(kubernetes: Kubernetes, fleet: Fleet, namespace: string): Promise<KubeObject[]> {
  const { clusterIp, headless } = fleet.services
  const [theirs, ...ours] = await Promise.all([
    kubernetes.list(serviceKind, { namespace }),
    ...[clusterIp, headless].map((name) => kubernetes.get({ ...serviceKind, name, namespace: fleet.namespace })),
  ])
  // A given namespace holds other runs' Services too, which come and go.
  return [...theirs.filter(isNobodysProbe), ...ours.filter((one) => one !== undefined)]
}

export async function serviceQuestions(kubernetes: Kubernetes, fleet: Fleet, namespace: string): Promise<Question[]> {
  const services = await listServices(kubernetes, fleet, namespace)
  return services.flatMap((service) =>
    addressQuestions(nameOf(fleet, service.metadata.namespace ?? '', service.metadata.name), clusterIps(service)),
  )
}

export async function headlessQuestions(kubernetes: Kubernetes, fleet: Fleet, namespace: string): Promise<Question[]> {
  const services = await listServices(kubernetes, fleet, namespace)
  const headless = services.filter((service) => service['spec']?.clusterIP === 'None')
  const slices = await Promise.all([namespace, fleet.namespace].map((one) => listSlices(kubernetes, one)))
  return headless.flatMap((service) => {
    const own = slices.flat().filter((slice) => slice.metadata.namespace === service.metadata.namespace)
    const ready = endpointsOf(own, service.metadata.name).filter((endpoint) => endpoint.ready)
    return addressQuestions(nameOf(fleet, service.metadata.namespace ?? '', service.metadata.name), addressesOf(ready))
  })
}

export async function srvQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const slices = await listSlices(kubernetes, fleet.namespace)
  const headless = nameOf(fleet, fleet.namespace, fleet.services.headless)
  const ready = endpointsOf(slices, fleet.services.headless).filter((endpoint) => endpoint.ready)
  const byService = nameOf(fleet, fleet.namespace, fleet.services.clusterIp)
  return [
    { name: `_${probePortName}._tcp.${byService}`, type: 'SRV', expected: [`80 ${byService}`] },
    {
      name: `_${probePortName}._tcp.${headless}`,
      type: 'SRV',
      // Probe pods carry their name as host name, so each has a name of its own below the headless Service.
      expected: ready.map((endpoint) => `${endpoint.port} ${endpoint.pod}.${headless}`).sort(),
    },
  ]
}

export async function ptrQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const service = await kubernetes.get({ ...serviceKind, name: fleet.services.clusterIp, namespace: fleet.namespace })
  const slices = await listSlices(kubernetes, fleet.namespace)
  const headless = nameOf(fleet, fleet.namespace, fleet.services.headless)
  const pods = endpointsOf(slices, fleet.services.headless).filter((endpoint) => endpoint.ready)
  return [
    ...clusterIps(service).map((ip) => ptr(ip, nameOf(fleet, fleet.namespace, fleet.services.clusterIp))),
    ...pods.map((endpoint) => ptr(endpoint.address, `${endpoint.pod}.${headless}`)),
  ]
}

function ptr(address: string, name: string): Question {
  return { name: reverseName(address), type: 'PTR', expected: [name], match: 'some' }
}

/** `10.0.0.1` -> `1.0.0.10.in-addr.arpa`; IPv6 by nibbles (RFC 3596). */
export function reverseName(address: string): string {
  if (!isIpv6(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0')
  const nibbles = [...left, ...middle, ...right].map((group) => group.padStart(4, '0')).join('')
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`
}

export async function externalNameQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const api = await kubernetes.get({ ...serviceKind, name: 'kubernetes', namespace: 'default' })
  const name = nameOf(fleet, fleet.namespace, fleet.services.externalName)
  return addressQuestions(name, clusterIps(api), { alias: externalNameTarget(fleet.clusterDomain) })
}

export async function searchQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const [own, api] = await Promise.all([
    kubernetes.get({ ...serviceKind, name: fleet.services.clusterIp, namespace: fleet.namespace }),
    kubernetes.get({ ...serviceKind, name: 'kubernetes', namespace: 'default' }),
  ])
  const names = ['', `.${fleet.namespace}`, `.${fleet.namespace}.svc`].map(
    (rest) => `${fleet.services.clusterIp}${rest}`,
  )
  return [
    ...names.flatMap((name) => addressQuestions(name, clusterIps(own), { search: true })),
    ...addressQuestions('kubernetes.default', clusterIps(api), { search: true }),
  ]
}

export async function serverQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const [services, slices, api] = await Promise.all([
    kubernetes.list(serviceKind, { namespace: 'kube-system' }),
    listSlices(kubernetes, 'kube-system'),
    kubernetes.get({ ...serviceKind, name: 'kubernetes', namespace: 'default' }),
  ])
  const name = nameOf(fleet, 'default', 'kubernetes')
  const own = addressQuestions(name, clusterIps(api))
  const service = services.find((one) => clusterIps(one).some((ip) => fleet.nameservers.includes(ip)))
  // A cache on each node (NodeLocal DNSCache) is no Service: then there is only the nameserver itself to ask.
  if (service === undefined) return own
  const ready = endpointsOf(slices, service.metadata.name).filter(
    (endpoint) => endpoint.ready && endpoint.protocol === 'UDP',
  )
  if (ready.length === 0) {
    throw new NotReadyError(`the DNS Service kube-system/${service.metadata.name} has no ready endpoints`)
  }
  const servers = new Map(ready.map((endpoint) => [endpoint.address, endpoint.port]))
  // One that fails explains why the Service, which spreads over all of them, fails now and then: it comes first.
  return [
    ...[...servers].flatMap(([address, port]) =>
      addressQuestions(name, clusterIps(api), { server: { address, port } }),
    ),
    ...own,
  ]
}
