import type { Kubernetes } from '../../kubernetes/client.ts'
import type { KubeObject } from '../../kubernetes/objects.ts'
import type { DnsRequest, ProbeResult, RecordType } from '../../probe/protocol.ts'
import { NotReadyError } from '../../process/errors.ts'
import { type Check, type CheckContext, type Outcome, skipped } from '../check.ts'
import { converge } from '../converge.ts'
import { addressesOf, endpointsOf, listSlices } from '../endpoints.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { lookEverywhere, requireProbes, type Survey, verdictOf } from '../per-node.ts'
import { describeDial } from '../probe-batch.ts'
import { externalNameTarget, probePortName, probeServices } from '../probe-manifests.ts'
import type { Fleet } from '../probe-pods.ts'

/** One name, what is asked about it and what must be answered. Asked over UDP and over TCP, from every node. */
interface Question {
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

const lookupMs = 2_000
const transports = ['udp', 'tcp'] as const

/**
 * D1: every kind of name, over UDP and TCP, from a pod on every node, compared with what the API says the answer is. A server that does
 * not answer is one finding, not seven: the other checks need D1.servers.
 */
export function dnsChecks(environment: SuiteEnvironment): Check[] {
  const check = (
    id: string,
    title: string,
    ask: (fleet: Fleet) => Promise<readonly Question[]>,
    needs: readonly string[] = ['D1.servers'],
  ): Check => ({
    id,
    title,
    suite: 'dns',
    lane: 'parallel',
    needs,
    alongside: ['R1.probes'],
    timeoutMs: 200_000,
    run: (context) => runQuestions(context, environment, ask),
  })
  const { kubernetes, namespace } = environment
  return [
    check(
      'D1.servers',
      'The pods’ nameserver answers, and each DNS server behind it by itself',
      (fleet) => serverQuestions(kubernetes, fleet),
      [],
    ),
    check('D1.service', 'A Service’s name resolves to its ClusterIP', (fleet) =>
      serviceQuestions(kubernetes, fleet, namespace),
    ),
    check('D1.headless', 'A headless Service’s name resolves to exactly its ready pods', (fleet) =>
      headlessQuestions(kubernetes, fleet, namespace),
    ),
    check('D1.srv', 'SRV records name port and target of Services and of each pod', (fleet) =>
      srvQuestions(kubernetes, fleet),
    ),
    check('D1.ptr', 'Addresses of Services and pods resolve back to their names', (fleet) =>
      ptrQuestions(kubernetes, fleet),
    ),
    check('D1.external-name', 'An ExternalName Service is an alias that resolves', (fleet) =>
      externalNameQuestions(kubernetes, fleet),
    ),
    check('D1.search', 'Partial names resolve through the pod’s search domains', (fleet) =>
      searchQuestions(kubernetes, fleet),
    ),
  ]
}

async function runQuestions(
  context: CheckContext,
  environment: SuiteEnvironment,
  ask: (fleet: Fleet) => Promise<readonly Question[]>,
): Promise<Outcome> {
  context.waiting('the probe pods')
  const fleet = await environment.fleet()
  requireProbes(fleet)
  let questions: readonly Question[] = []
  const seen = await converge(
    context,
    async () => {
      // Read anew for each look: endpoints may have changed, and so may the right answer.
      questions = await ask(fleet)
      return lookEverywhere(fleet, questions.flatMap(toRequests), (results) => compare(questions, results))
    },
    { timeoutMs: environment.convergeMs, confirmations: 2, intervalMs: 300 },
  )
  if (questions.length === 0) return skipped('there is nothing to ask')
  const latencies = latenciesOf(seen.value)
  return verdictOf({
    fleet,
    seen,
    lost: seen.value.lost,
    reason: `${questions.length} names right over UDP and TCP`,
    observations: { questions: questions.map((question) => `${question.type} ${question.name}`), latencyMs: latencies },
    command: 'kubectl -n kube-system get pods,endpointslices -l k8s-app=kube-dns -o wide',
  })
}

function toRequests(question: Question, index: number): DnsRequest[] {
  return transports.map((transport) => ({
    kind: 'dns',
    id: `${index}/${transport}`,
    name: question.name,
    type: question.type,
    transport,
    search: question.search ?? false,
    timeoutMs: lookupMs,
    ...(question.server === undefined ? {} : { server: question.server }),
  }))
}

function compare(questions: readonly Question[], results: ReadonlyMap<string, ProbeResult>): string[] {
  return questions.flatMap((question, index) => {
    const wrong = transports.flatMap((transport) => {
      const result = results.get(`${index}/${transport}`)
      const text = result === undefined ? 'no record' : differenceOf(question, result)
      return text === undefined ? [] : [{ transport, text }]
    })
    const [one, other] = wrong
    if (one === undefined) return []
    const over = other !== undefined && other.text === one.text ? 'UDP and TCP' : one.transport.toUpperCase()
    const at = question.server === undefined ? '' : ` of ${question.server.address}`
    const lines = [`${question.type} ${question.name}${at} over ${over}: ${one.text}`]
    if (other !== undefined && other.text !== one.text) {
      lines.push(`${question.type} ${question.name}${at} over ${other.transport.toUpperCase()}: ${other.text}`)
    }
    return lines
  })
}

function differenceOf(question: Question, result: ProbeResult): string | undefined {
  const { dns } = result
  if (result.dial !== 'connected' || dns === undefined) return describeDial(result)
  const answers =
    question.type === 'SRV' ? dns.answers.map((answer) => answer.split(' ').slice(2).join(' ')) : dns.answers
  const missing = question.expected.filter((entry) => !answers.includes(entry))
  const extra = question.match === 'some' ? [] : answers.filter((entry) => !question.expected.includes(entry))
  if (missing.length > 0 || extra.length > 0) {
    const got = answers.length === 0 ? dns.rcode : answers.join(', ')
    return `${got} instead of ${question.expected.join(', ')}`
  }
  if (question.alias !== undefined && !dns.aliases.includes(question.alias)) return `no CNAME ${question.alias}`
  return undefined
}

function latenciesOf(survey: Survey): { median: number; max: number } {
  const all = [...survey.results.values()].flatMap((results) => [...results.values()].map((result) => result.elapsedMs))
  const sorted = all.sort((a, b) => a - b)
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 }
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

async function listServices(kubernetes: Kubernetes, fleet: Fleet, namespace: string): Promise<KubeObject[]> {
  const lists = await Promise.all(
    [namespace, fleet.namespace].map((one) => kubernetes.list(serviceKind, { namespace: one })),
  )
  return lists.flat()
}

async function serviceQuestions(kubernetes: Kubernetes, fleet: Fleet, namespace: string): Promise<Question[]> {
  const services = await listServices(kubernetes, fleet, namespace)
  return services.flatMap((service) =>
    addressQuestions(nameOf(fleet, service.metadata.namespace ?? '', service.metadata.name), clusterIps(service)),
  )
}

async function headlessQuestions(kubernetes: Kubernetes, fleet: Fleet, namespace: string): Promise<Question[]> {
  const services = await listServices(kubernetes, fleet, namespace)
  const headless = services.filter((service) => service['spec']?.clusterIP === 'None')
  const slices = await Promise.all([namespace, fleet.namespace].map((one) => listSlices(kubernetes, one)))
  return headless.flatMap((service) => {
    const own = slices.flat().filter((slice) => slice.metadata.namespace === service.metadata.namespace)
    const ready = endpointsOf(own, service.metadata.name).filter((endpoint) => endpoint.ready)
    return addressQuestions(nameOf(fleet, service.metadata.namespace ?? '', service.metadata.name), addressesOf(ready))
  })
}

async function srvQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const slices = await listSlices(kubernetes, fleet.namespace)
  const headless = nameOf(fleet, fleet.namespace, probeServices.headless)
  const ready = endpointsOf(slices, probeServices.headless).filter((endpoint) => endpoint.ready)
  const byService = nameOf(fleet, fleet.namespace, probeServices.clusterIp)
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

async function ptrQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const service = await kubernetes.get({ ...serviceKind, name: probeServices.clusterIp, namespace: fleet.namespace })
  const slices = await listSlices(kubernetes, fleet.namespace)
  const headless = nameOf(fleet, fleet.namespace, probeServices.headless)
  const pods = endpointsOf(slices, probeServices.headless).filter((endpoint) => endpoint.ready)
  return [
    ...clusterIps(service).map((ip) => ptr(ip, nameOf(fleet, fleet.namespace, probeServices.clusterIp))),
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

async function externalNameQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const api = await kubernetes.get({ ...serviceKind, name: 'kubernetes', namespace: 'default' })
  const name = nameOf(fleet, fleet.namespace, probeServices.externalName)
  return addressQuestions(name, clusterIps(api), { alias: externalNameTarget(fleet.clusterDomain) })
}

async function searchQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
  const [own, api] = await Promise.all([
    kubernetes.get({ ...serviceKind, name: probeServices.clusterIp, namespace: fleet.namespace }),
    kubernetes.get({ ...serviceKind, name: 'kubernetes', namespace: 'default' }),
  ])
  const names = ['', `.${fleet.namespace}`, `.${fleet.namespace}.svc`].map(
    (rest) => `${probeServices.clusterIp}${rest}`,
  )
  return [
    ...names.flatMap((name) => addressQuestions(name, clusterIps(own), { search: true })),
    ...addressQuestions('kubernetes.default', clusterIps(api), { search: true }),
  ]
}

async function serverQuestions(kubernetes: Kubernetes, fleet: Fleet): Promise<Question[]> {
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
  return [
    ...own,
    ...[...servers].flatMap(([address, port]) =>
      addressQuestions(name, clusterIps(api), { server: { address, port } }),
    ),
  ]
}
