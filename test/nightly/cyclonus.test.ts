import { afterAll, beforeAll, it } from 'vitest'
import { type DrillCluster, drillCluster } from '../e2e/cluster-fixture.ts'
import { cyclonusNamespaces, peerJudgement, peerRow, publishCyclonusWorker, runCyclonus } from '../support/cyclonus.ts'
import { removeNamespaces } from '../support/network-policy/lab.ts'
import { proveFault } from '../support/prove-fault.ts'

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
  () =>
    proveFault(peerRow, async () => {
      const started = performance.now()
      const { cases, triedAgain } = await runCyclonus(cluster.kubeconfig, { ...peerJudgement, limitMs })
      const minutes = ((performance.now() - started) / 60_000).toFixed(1)
      const wrong = cases.filter(({ passed }) => !passed).map(({ name }) => name)
      const failed = `${wrong.length} failed${wrong.length === 0 ? '' : `: ${wrong.slice(0, 3).join('; ')}`}`
      if (cases.length !== peerJudgement.cases) wrong.push(`${cases.length} cases instead of ${peerJudgement.cases}`)
      const again = triedAgain === 0 ? '' : `; tried again as they came to no end: ${triedAgain}`
      return { seen: `${cases.length} cases in ${minutes} min, ${failed}${again}`, wrong }
    }),
  limitMs + 900_000,
)
