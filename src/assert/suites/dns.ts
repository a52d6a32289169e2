import type { DnsRequest, ProbeResult } from '../../probe/protocol.ts'
import { type Check, type CheckContext, type Outcome, skipped } from '../check.ts'
import { converge } from '../converge.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { lookEverywhere, requireProbes, type Survey, verdictOf } from '../per-node.ts'
import { describeDial } from '../probe-batch.ts'
import type { Fleet } from '../probe-pods.ts'
import {
  externalNameQuestions,
  headlessQuestions,
  ptrQuestions,
  type Question,
  searchQuestions,
  serverQuestions,
  serviceQuestions,
  srvQuestions,
} from './dns-questions.ts'

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
  // The deadline, not what was measured: over UDP and TCP it is the same finding.
  if (result.dial !== 'connected' || dns === undefined) return describeDial({ ...result, elapsedMs: lookupMs })
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
