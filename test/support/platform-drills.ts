import { findRoute } from '../../src/assert/voting-app-access.ts'
import type { Kubernetes } from '../../src/kubernetes/client.ts'
import type { KubeObject, ResourceKind } from '../../src/kubernetes/objects.ts'
import { waitFor } from '../../src/process/wait.ts'
import { app } from './drill-steps.ts'
import type { Drill } from './drills.ts'
import type { FaultName } from './fault-table.ts'

const group = 'drill.example.com'
const apiService = { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService' } as const
const crd = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' } as const
const webhooks = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' } as const
const nobody = { namespace: 'kube-system', name: 'nobody' }

/** Drills of what a cluster has beside the app: policies, API extensions, admission. */
export const platformDrills = {
  async 'a deny-all NetworkPolicy'({ kubernetes, host }, mend) {
    const name = 'deny-all'
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, ...app } }
    const fleet = () => Promise.reject(new Error('the drill looks from this machine'))
    const { runner, vote } = await findRoute({ kubernetes, fleet, ...app })
    const answers = async (): Promise<boolean> => {
      const [result] = await runner.run([{ kind: 'http', id: 'vote', url: `${vote}/health`, timeoutMs: 1_000 }])
      return result?.http !== undefined
    }
    const until = (what: string, wanted: boolean) =>
      waitFor(host, what, answers, {
        timeoutMs: 30_000,
        done: (answered) => answered === wanted,
        explain: (answered) => (answered ? 'it answers' : 'no answer'),
      })
    mend(async () => {
      await kubernetes.delete({ ...policy, name, ...app })
      await until('the vote service', true)
    })
    await kubernetes.create({ ...policy, spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] } })
    await until('the policy in force', false)
  },

  async 'an APIService without a backend'({ kubernetes }, mend) {
    const name = `v1.${group}`
    mend(() => removed(kubernetes, apiService, name))
    await kubernetes.create({
      ...apiService,
      metadata: { name },
      spec: {
        group,
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
        service: nobody,
      },
    })
    await kubernetes.until('the APIService judged', apiService, {}, said(name, 'Available'))
  },

  async 'a CustomResourceDefinition whose names are taken'({ kubernetes }, mend) {
    // Two of one kind: the names of the second are not accepted.
    for (const plural of ['firsts', 'seconds']) {
      const name = `${plural}.${group}`
      mend(() => removed(kubernetes, crd, name))
      await kubernetes.create(definition(plural))
      await kubernetes.until(`${name} judged`, crd, {}, said(name, 'NamesAccepted'))
    }
  },

  // It is asked about no namespace there is, and nobody waits for its answer.
  async 'an admission webhook without a backend'({ kubernetes }, mend) {
    const name = group
    mend(() => removed(kubernetes, webhooks, name))
    await kubernetes.create({
      ...webhooks,
      metadata: { name },
      webhooks: [
        {
          name: `pods.${group}`,
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Ignore',
          timeoutSeconds: 1,
          clientConfig: { service: nobody },
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kp-drill-nowhere' } },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        },
      ],
    })
  },
} as const satisfies Partial<Record<FaultName, Drill>>

function definition(plural: string): KubeObject {
  const schema = { openAPIV3Schema: { type: 'object' } }
  return {
    ...crd,
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: plural.slice(0, -1), kind: 'Drill' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
}

/** Gone, not only on its way: the garbage collector may be busy with the kinds that came and went, and the next drill would still see it. */
async function removed(kubernetes: Kubernetes, kind: ResourceKind, name: string): Promise<void> {
  await kubernetes.delete({ ...kind, name })
  await kubernetes.until(
    `${name} gone`,
    kind,
    {},
    {
      timeoutMs: 120_000,
      done: (all) => all.every(({ metadata }) => metadata.name !== name),
      explain: () => 'it is still being deleted',
    },
  )
}

/** Done when the object of that name has the condition, whatever it says. */
function said(name: string, type: string) {
  const conditions = (all: readonly KubeObject[]): { type: string }[] =>
    all.find((one) => one.metadata.name === name)?.['status']?.conditions ?? []
  return {
    timeoutMs: 60_000,
    done: (all: readonly KubeObject[]) => conditions(all).some((one) => one.type === type),
    explain: (all: readonly KubeObject[]) => JSON.stringify(conditions(all)),
  }
}
