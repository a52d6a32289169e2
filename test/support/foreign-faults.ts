import { describeFault, type Fault, faults } from './fault-table.ts'
import { plainApp } from './plain-app.ts'
import type { FaultRow } from './prove-fault.ts'

/** The plain app and the namespace of the probes, on a cluster that nothing of ours made. */
export const foreignPlace = { namespace: 'foreign-app', probeNamespace: 'foreign-probes' }

/** One thing to break there by kubectl, and what takes it back; `exactly` as in the fault table: every other check must be green. */
export interface ForeignFault {
  readonly fault: string
  readonly exactly: Fault
  readonly breaks: readonly string[]
  readonly mends: readonly string[]
  /** Resolves once it is in force, and again once it is mended. */
  readonly settles?: readonly string[]
}

const { namespace } = foreignPlace
const selector = (app: string): readonly string[] => [
  ...['patch', 'service', plainApp, '--namespace', namespace],
  ...['--patch', JSON.stringify({ spec: { selector: { app } } })],
]
const coredns = (replicas: number): readonly string[] => [
  ...['scale', 'deployment/coredns', '--namespace', 'kube-system', `--replicas=${replicas}`],
]

export const foreignFaults: readonly ForeignFault[] = [
  {
    fault: 'selector of a Service off by one label',
    // Its only other Service is headless: no ClusterIP is left to dial.
    exactly: {
      red: {
        'S1.endpoints':
          /^fail: Service plain: no ready endpoints: the selector .*app=plian.* matches no pod and no workload \(Deployment plain has app=plain/,
      },
      skipped: ['S1.cluster-ip'],
    },
    breaks: selector('plian'),
    mends: selector(plainApp),
  },
  {
    fault: 'CoreDNS at zero',
    exactly: faults['CoreDNS at zero'],
    breaks: coredns(0),
    mends: coredns(2),
    settles: ['rollout', 'status', 'deployment/coredns', '--namespace', 'kube-system', '--timeout=100s'],
  },
]

const where = 'a cluster of plain kind'

export const foreignHealthy: FaultRow = {
  section: 'assertions',
  fault: `${where}: nothing`,
  expected: 'all green with the printed rights, for an app by kubectl',
}

export function foreignRow({ fault, exactly }: ForeignFault): FaultRow {
  return { section: 'assertions', fault: `${where}: ${fault}`, expected: describeFault(exactly) }
}
