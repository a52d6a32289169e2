import { deploymentKind, rolledOut } from './drill-steps.ts'
import type { Drill } from './drills.ts'
import type { FaultName } from './fault-table.ts'

const corefile = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' } as const
const coredns = { ...deploymentKind, namespace: 'kube-system', name: 'coredns' } as const

/** CoreDNS answers that the zone has no record of that type. */
function without(type: string, zone: string): Drill {
  return async (cluster, mend) => {
    const { kubernetes } = cluster
    const text: string = (await kubernetes.get(corefile))?.['data'].Corefile
    const block = `template IN ${type} ${zone} {\nrcode NXDOMAIN\n}\n`
    const broken = text.replace(/^(\.:53 \{\n)/m, `$1${block}`)
    if (broken === text) throw new Error(`the Corefile has no block for .:53: ${text}`)
    // It would read the file again by itself, within two minutes; new pods read it now.
    const restarted = async (Corefile: string, drill: string | null): Promise<void> => {
      await kubernetes.patch(corefile, { data: { Corefile } })
      await kubernetes.patch(coredns, { spec: { template: { metadata: { annotations: { drill } } } } })
      await rolledOut(cluster, coredns.name, coredns.namespace)
    }
    mend(() => restarted(text, null))
    await restarted(broken, 'names')
  }
}

/** DNS that answers, and wrongly for records of one type. */
export const dnsDrills = {
  'CoreDNS without SRV records': without('SRV', 'cluster.local'),
  'CoreDNS without PTR records': without('PTR', 'in-addr.arpa'),
} as const satisfies Partial<Record<FaultName, Drill>>
