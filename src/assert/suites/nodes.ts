import { ApiError } from '../../kubernetes/api-error.ts'
import { conditionOf, isReady } from '../../kubernetes/conditions.ts'
import type { KubeObject } from '../../kubernetes/objects.ts'
import { formatSeconds } from '../../process/wait.ts'
import type { Json } from '../../report/record.ts'
import { type Check, type CheckContext, fail, inconclusive, type Outcome, pass } from '../check.ts'
import { converge, type Look, summarize } from '../converge.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { firstLine } from '../explain-pod.ts'

/** Kubelets renew every 10 s; 15 s leave room for one slow call. */
const leaseMs = 15_000
const nodeKind = { apiVersion: 'v1', kind: 'Node' } as const
const leaseKind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' } as const
/** Taints that Kubernetes itself puts on a node that must not be used now. */
const troubleTaints = /^node(\.cloudprovider)?\.kubernetes\.io\/(?!out-of-service$)/

/** R1: every node that should be there is there, Ready, fresh, and runs our probe; once more at the end of the run. */
export function nodeChecks(environment: SuiteEnvironment): Check[] {
  const base = { suite: 'readiness', lane: 'parallel', needs: [] } as const
  return [
    {
      ...base,
      id: 'R1.nodes',
      title: 'Every expected node is Ready, with networking and without trouble taints',
      timeoutMs: environment.convergeMs + 15_000,
      run: (context) => nodesReady(context, environment),
    },
    {
      ...base,
      id: 'R1.lease',
      title: 'Every kubelet renewed its lease within 15 s of the API server’s clock',
      timeoutMs: 45_000,
      run: (context) => leasesFresh(context, environment),
    },
    {
      ...base,
      id: 'R1.probes',
      title: 'A probe pod under Pod Security "restricted" runs and answers on every node',
      timeoutMs: 150_000,
      run: () => probesAnswer(environment),
    },
    {
      ...base,
      id: 'R1.nodes-at-end',
      title: 'Every node is still Ready and fresh at the end of the run',
      lane: 'final',
      needs: ['R1.nodes', 'R1.lease'],
      timeoutMs: 60_000,
      run: async (context) => {
        const nodes = await nodesReady(context, environment)
        return nodes.verdict === 'pass' ? leasesFresh(context, environment) : nodes
      },
    },
  ]
}

async function nodesReady(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  const { kubernetes, expected } = environment
  const seen = await converge(
    context,
    async (): Promise<Look<KubeObject[]>> => {
      const nodes = await kubernetes.list(nodeKind)
      const differences = nodes.flatMap(troublesOf)
      if (nodes.length === 0) differences.push('the cluster has no nodes')
      if (expected.nodes !== undefined && nodes.length !== expected.nodes) {
        differences.unshift(`${nodes.length} nodes instead of ${expected.nodes}`)
      }
      return { value: nodes, differences }
    },
    { timeoutMs: environment.convergeMs, intervalMs: 1_000 },
  )
  const observations = {
    expected: expected.nodes ?? 'the number the cluster has',
    nodes: seen.value.map((node) => ({
      name: node.metadata.name,
      ready: isReady(node),
      version: node['status']?.nodeInfo?.kubeletVersion ?? '',
      taints: taintsOf(node).map(renderTaint),
    })) as Json,
  }
  if (!seen.matched) {
    const bad = seen.value.find((node) => troublesOf(node).length > 0)
    return fail(summarize(seen.differences), {
      observations,
      evidence: [
        {
          text: seen.differences.join('\n'),
          command: bad === undefined ? 'kubectl get nodes -o wide' : `kubectl describe node ${bad.metadata.name}`,
        },
      ],
    })
  }
  const versions = [...new Set(seen.value.map((node) => node['status']?.nodeInfo?.kubeletVersion))].join(', ')
  return pass(`${seen.value.length} of ${seen.value.length} nodes Ready (${versions})`, {
    observations,
    timeToConvergeMs: seen.timeToConvergeMs,
  })
}

interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: string
}

function taintsOf(node: KubeObject): readonly Taint[] {
  return node['spec']?.taints ?? []
}

function renderTaint(taint: Taint): string {
  return `${taint.key}${taint.value === undefined || taint.value === '' ? '' : `=${taint.value}`}:${taint.effect}`
}

function troublesOf(node: KubeObject): string[] {
  const { name } = node.metadata
  const troubles: string[] = []
  const ready = conditionOf(node, 'Ready')
  if (ready?.status !== 'True') {
    const status = ready?.status === 'Unknown' ? 'Unknown (the kubelet stopped reporting)' : (ready?.status ?? 'absent')
    troubles.push(`${name} Ready is ${status}: ${firstLine(ready?.message ?? 'no condition')}`)
  }
  if (conditionOf(node, 'NetworkUnavailable')?.status === 'True') troubles.push(`${name} has no pod network`)
  if (node['spec']?.unschedulable === true) troubles.push(`${name} is cordoned`)
  const taints = taintsOf(node).filter(
    (taint) => troubleTaints.test(taint.key) && taint.key !== 'node.kubernetes.io/unschedulable',
  )
  // The taints that follow from NotReady add nothing to it.
  const telling = taints.filter((taint) => !/\/(not-ready|unreachable)$/.test(taint.key) || ready?.status === 'True')
  if (telling.length > 0) troubles.push(`${name} is tainted ${telling.map(renderTaint).join(', ')}`)
  return troubles
}

/**
 * Compares with the API server's clock, not ours. A kubelet whose own clock is off still passes: a renewal seen while we look is fresh, whatever it says.
 */
async function leasesFresh(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  const { kubernetes } = environment
  const [nodes, first, serverNow] = await Promise.all([
    kubernetes.list(nodeKind),
    kubernetes.list(leaseKind, { namespace: 'kube-node-lease' }),
    kubernetes.serverTime(),
  ])
  const readAt = context.host.clock.monotonic()
  const renewTime = (leases: readonly KubeObject[], node: string): string | undefined =>
    leases.find((lease) => lease.metadata.name === node)?.['spec']?.renewTime
  const ageMs = (node: string): number | undefined => {
    const renewed = renewTime(first, node)
    return renewed === undefined ? undefined : serverNow.getTime() - Date.parse(renewed)
  }
  const names = nodes.map((node) => node.metadata.name)
  const suspects = names.filter((name) => {
    const age = ageMs(name)
    // A renewal "in the future" is a clock that is off: only a renewal seen by ourselves proves it fresh.
    return age === undefined || age > leaseMs || age < -2_000
  })
  let stale: string[] = suspects
  if (suspects.length > 0) {
    const staleIn = (leases: readonly KubeObject[]): string[] =>
      suspects.filter((name) => {
        const now = renewTime(leases, name)
        return now === undefined || now === renewTime(first, name)
      })
    context.waiting(`a lease renewal of ${suspects.join(', ')}`)
    try {
      await kubernetes.until(
        'lease renewals',
        leaseKind,
        { namespace: 'kube-node-lease' },
        {
          timeoutMs: Math.min(leaseMs, Math.max(1, context.leftMs() - 5_000)),
          done: (leases) => {
            stale = staleIn(leases)
            return stale.length === 0
          },
          explain: () => `no renewal of ${stale.join(', ')}`,
        },
      )
    } catch (error) {
      if (error instanceof ApiError) throw error
      // `stale` names who did not renew.
    }
  }
  const ages = Object.fromEntries(names.map((name) => [name, ageMs(name) ?? null]))
  const observations = { leaseAgeMs: ages, clockSkewed: suspects.filter((name) => !stale.includes(name)) }
  if (stale.length > 0) {
    const waited = formatSeconds(context.host.clock.monotonic() - readAt)
    const reasons = stale.map((name) => {
      const age = ageMs(name)
      return `${name} ${age === undefined ? 'has no lease' : `renewed its lease ${formatSeconds(age)} ago and not within ${waited} more`}`
    })
    return fail(summarize(reasons), {
      observations,
      evidence: [
        {
          text: 'A kubelet that does not renew its lease is stopped, cut off or starved.',
          command: `kubectl -n kube-node-lease get lease ${stale[0]} -o yaml`,
        },
      ],
    })
  }
  const oldest = Math.max(0, ...Object.values(ages).map((age) => age ?? 0))
  return pass(`the oldest lease is ${formatSeconds(oldest)} old`, { observations })
}

async function probesAnswer(environment: SuiteEnvironment): Promise<Outcome> {
  const fleet = await environment.fleet()
  const observations = { answered: fleet.probes.map((probe) => probe.node), missing: fleet.missing as unknown as Json }
  if (fleet.missing.length > 0) {
    return fail(summarize(fleet.missing.map(({ node, reason }) => `${node}: ${reason}`)), {
      observations,
      evidence: fleet.missing.map(({ node, reason }) => ({
        text: `${node}: ${reason}`,
        command: `kubectl -n ${fleet.namespace} describe pods --field-selector spec.nodeName=${node}`,
      })),
    })
  }
  if (fleet.probes.length === 0) return inconclusive('no probe pod was started', { observations })
  return pass(`${fleet.probes.length} of ${fleet.probes.length} nodes answered`, { observations })
}
