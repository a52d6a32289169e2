import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { cyclonusNamespaces, publishCyclonusWorker, runCyclonus } from '../support/cyclonus.ts'
import { recordFault } from '../support/fault-results.ts'
import { removeNamespaces } from '../support/network-policy/lab.ts'

/**
 * A peer's judgement: cyclonus generates policies, says by a simulation of its own what they must do, and looks at the cluster. One case takes about ten seconds on two
 * cores, so of its 230 this runs, by its own tags, every kind of change, target, conflict and peer, the examples, the cases of Kubernetes' own tests, and endPort. Left out are
 * `multi-peer`, 90 cases that combine peers tried one by one here, most of the combinations of ports, and `sctp` where the kernel has no such sockets. `cases` is what
 * the pinned version generates for these tags: fewer would be another judgement.
 */
const included = ['action', 'target', 'conflict', 'upstream-e2e', 'example', 'end-port', 'peer-ipblock', 'peer-pods']
const hasSctp = /^SCTP\b/m.test(readFileSync('/proc/net/protocols', 'utf8'))
const judgement = hasSctp
  ? { protocols: ['TCP', 'UDP', 'SCTP'], included, excluded: ['multi-peer'], cases: 76 }
  : { protocols: ['TCP', 'UDP'], included, excluded: ['multi-peer', 'sctp'], cases: 72 }
/** On a busy machine; the test's own limit leaves time to build cyclonus, and to tell that it was killed. */
const limitMs = 2_700_000

let cluster: DrillCluster

beforeAll(async () => {
  cluster = await drillCluster()
  await removeNamespaces(cluster.kubernetes, cyclonusNamespaces)
  await publishCyclonusWorker(cluster.kubeconfig)
})
afterAll(() => removeNamespaces(cluster.kubernetes, cyclonusNamespaces))

it(
  'cyclonus passes its generated cases',
  async () => {
    const started = performance.now()
    const cases = await runCyclonus(cluster.kubeconfig, { ...judgement, limitMs })
    const minutes = ((performance.now() - started) / 60_000).toFixed(1)
    const failed = cases.filter(({ passed }) => !passed).map(({ name }) => name)
    const held = cases.length === judgement.cases && failed.length === 0
    recordFault({
      section: 'network policy',
      fault: `cyclonus v0.5.6, its generated cases tagged ${included.join(', ')}, not ${judgement.excluded.join(' or ')}`,
      expected: `${judgement.cases} cases, all passed`,
      seen: `${cases.length} cases in ${minutes} min, ${failed.length} failed${failed.length === 0 ? '' : `: ${failed.slice(0, 3).join('; ')}`}`,
      held,
    })
    expect(failed).toEqual([])
    expect(cases).toHaveLength(judgement.cases)
  },
  limitMs + 900_000,
)
