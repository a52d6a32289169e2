import { createKubernetes } from '../../src/kubernetes/create-kubernetes.ts'
import type { Host } from '../../src/process/host.ts'
import { runBuiltCli, withFreshCluster } from './programs.ts'
import { type BenchResult, boundedRow } from './result.ts'
import { median, medianAndSpread } from './statistics.ts'

const rounds = 3

/** `up` on a cluster that it finds as it left it; then on one where somebody was. */
export function benchSecondUp(host: Host): Promise<BenchResult> {
  return withFreshCluster(async (cluster) => {
    const up = ['up', ...cluster, '--image-source', 'packages']
    const first = await runBuiltCli(up)
    const kubeconfig = /KUBECONFIG=(\S+)/.exec(first.stdout)?.[1]
    if (kubeconfig === undefined) throw new Error('up printed no KUBECONFIG')
    const unchanged: number[] = []
    for (let round = 1; round <= rounds; round++) unchanged.push((await runBuiltCli(up)).durationMs / 1000)
    const kubernetes = await createKubernetes(host, { kubeconfig })
    const namespace = 'voting-app'
    const worker = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'worker', namespace }
    const service = { apiVersion: 'v1', kind: 'Service', name: 'vote-service', namespace }
    await kubernetes.delete(worker)
    await kubernetes.patch(service, { spec: { selector: { app: 'nobody' } } })
    const repaired = await runBuiltCli(up)
    const selector = (await kubernetes.get(service))?.['spec'].selector.app
    const workerIsBack = (await kubernetes.get(worker)) !== undefined
    if (!workerIsBack || selector !== 'vote')
      throw new Error(`not put right: worker ${workerIsBack}, selector ${selector}`)
    return {
      name: 'a second up',
      rows: [
        boundedRow(`nothing changed, ${medianAndSpread(unchanged)}`, median(unchanged), 's', 8),
        {
          what: 'a Deployment deleted and a Service edited: put right and proven',
          value: repaired.durationMs / 1000,
          unit: 's',
        },
      ],
    }
  })
}
