import { ApiError } from '../../kubernetes/api-error.ts'
import type { Kubernetes } from '../../kubernetes/client.ts'
import { conditionOf } from '../../kubernetes/conditions.ts'
import type { KubeObject } from '../../kubernetes/objects.ts'
import { type Check, fail, inconclusive, type Outcome, pass, skipped } from '../check.ts'
import { converge, summarize } from '../converge.ts'
import { readyEndpoints } from '../endpoints.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { firstLine } from '../explain-pod.ts'

const registration = { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService' } as const
const crdKind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' } as const
const admission = 'admissionregistration.k8s.io/v1'

/** R3: the API extensions this cluster has are usable, not merely installed. */
export function platformApiChecks(environment: SuiteEnvironment): Check[] {
  const base = { suite: 'readiness', lane: 'parallel', needs: [] } as const
  const { kubernetes, convergeMs } = environment
  const conditioned = (
    id: string,
    title: string,
    kind: typeof registration | typeof crdKind,
    type: string,
    command: string,
  ): Check => ({
    ...base,
    id,
    title,
    timeoutMs: convergeMs + 20_000,
    run: async (context) => {
      const seen = await converge(
        context,
        async () => {
          const objects = await kubernetes.list(kind)
          const differences = objects
            .filter((object) => conditionOf(object, type)?.status !== 'True')
            .map((object) => {
              const state = conditionOf(object, type)
              return `${object.metadata.name} is not ${type}: ${state?.reason ?? 'no condition'} ${firstLine(state?.message ?? '')}`.trim()
            })
          return { value: objects, differences }
        },
        { timeoutMs: convergeMs, intervalMs: 1_000 },
      )
      const observations = { count: seen.value.length }
      if (!seen.matched) {
        return fail(summarize(seen.differences), {
          observations,
          evidence: [{ text: seen.differences.join('\n'), command }],
        })
      }
      if (seen.value.length === 0) return skipped(`the cluster has no ${kind.kind}s`)
      return pass(`${seen.value.length} ${kind.kind}s are ${type}`, {
        observations,
        timeToConvergeMs: seen.timeToConvergeMs,
      })
    },
  })
  return [
    conditioned(
      'R3.api-services',
      'Every APIService is Available',
      registration,
      'Available',
      'kubectl get apiservices',
    ),
    conditioned(
      'R3.crds',
      'Every CustomResourceDefinition is Established',
      crdKind,
      'Established',
      'kubectl get crds -o custom-columns=NAME:.metadata.name,CONDITIONS:.status.conditions[*].type',
    ),
    {
      ...base,
      id: 'R3.webhooks',
      title: 'Every admission webhook answers a server-side dry-run',
      timeoutMs: 60_000,
      run: () => webhooksAnswer(kubernetes),
    },
  ]
}

interface Webhook {
  readonly name: string
  readonly clientConfig: { readonly service?: { readonly namespace: string; readonly name: string } }
  readonly rules?: readonly {
    readonly apiGroups: readonly string[]
    readonly apiVersions: readonly string[]
    readonly operations: readonly string[]
    readonly resources: readonly string[]
  }[]
  readonly sideEffects?: string
}

async function webhooksAnswer(kubernetes: Kubernetes): Promise<Outcome> {
  const configurations = (
    await Promise.all(
      ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'].map((kind) =>
        kubernetes.list({ apiVersion: admission, kind }),
      ),
    )
  ).flat()
  const webhooks = configurations.flatMap((configuration) =>
    ((configuration['webhooks'] ?? []) as Webhook[]).map((webhook) => ({ configuration, webhook })),
  )
  if (webhooks.length === 0) return skipped('the cluster has no admission webhooks')
  const broken: string[] = []
  const unproven: string[] = []
  await Promise.all(
    webhooks.map(async ({ configuration, webhook }) => {
      const what = `${configuration.metadata.name}/${webhook.name}`
      const service = webhook.clientConfig.service
      if (service !== undefined && (await readyEndpoints(kubernetes, service.namespace, service.name)).length === 0) {
        broken.push(`${what}: its Service ${service.namespace}/${service.name} has no ready endpoints`)
        return
      }
      const answer = await dryRun(kubernetes, webhook)
      if (answer === 'called') return
      if (answer.startsWith('unproven')) unproven.push(`${what}: ${answer.slice('unproven: '.length)}`)
      else broken.push(`${what}: ${answer}`)
    }),
  )
  const observations = { webhooks: webhooks.length, unproven }
  const evidence = [
    { text: broken.join('\n'), command: `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations` },
  ]
  if (broken.length > 0) return fail(summarize(broken), { observations, evidence })
  if (unproven.length === webhooks.length) return inconclusive(summarize(unproven), { observations })
  const more = unproven.length === 0 ? '' : `; ${unproven.length} have ready endpoints but match nothing we can create`
  return pass(`${webhooks.length - unproven.length} of ${webhooks.length} webhooks answered${more}`, { observations })
}

/** Objects the API server takes without further ado; of other kinds an almost empty one, which the webhook may refuse: also an answer. */
const samples: Readonly<Record<string, KubeObject>> = {
  pods: sample('v1', 'Pod', { containers: [{ name: 'dry-run', image: 'dry-run.invalid/none' }] }),
  configmaps: sample('v1', 'ConfigMap'),
  secrets: sample('v1', 'Secret'),
  serviceaccounts: sample('v1', 'ServiceAccount'),
  services: sample('v1', 'Service', { ports: [{ port: 80 }] }),
  namespaces: sample('v1', 'Namespace'),
  deployments: sample('apps/v1', 'Deployment', {
    selector: { matchLabels: { app: 'dry-run' } },
    template: {
      metadata: { labels: { app: 'dry-run' } },
      spec: { containers: [{ name: 'dry-run', image: 'dry-run.invalid/none' }] },
    },
  }),
}

function sample(apiVersion: string, kind: string, spec?: object): KubeObject {
  const metadata = { name: 'k8s-platform-dry-run', ...(kind === 'Namespace' ? {} : { namespace: 'default' }) }
  return { apiVersion, kind, metadata, ...(spec === undefined ? {} : { spec }) }
}

/** `called`, `unproven: why`, or what the API server said of a webhook it could not call. */
async function dryRun(kubernetes: Kubernetes, webhook: Webhook): Promise<string> {
  if (webhook.sideEffects !== undefined && !['None', 'NoneOnDryRun'].includes(webhook.sideEffects)) {
    return `unproven: it declares side effects (${webhook.sideEffects}), so the API server refuses dry-runs`
  }
  const object = await sampleFor(kubernetes, webhook)
  if (object === undefined) return 'unproven: it matches no kind that can be created'
  try {
    await kubernetes.create(object, { dryRun: true })
    return 'called'
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (/failed calling webhook/.test(error.message)) return firstLine(error.message)
    // A refusal by the webhook names it; a refusal by the schema comes before validating webhooks are called.
    return /admission webhook/.test(error.message) ? 'called' : `unproven: ${firstLine(error.message, 160)}`
  }
}

async function sampleFor(kubernetes: Kubernetes, webhook: Webhook): Promise<KubeObject | undefined> {
  for (const rule of webhook.rules ?? []) {
    if (!rule.operations.some((operation) => operation === 'CREATE' || operation === '*')) continue
    for (const resource of rule.resources) {
      if (resource === '*' || resource === '*/*') return samples['configmaps']
      const known = samples[resource]
      if (known !== undefined) return known
      for (const group of rule.apiGroups) {
        const found = await customSample(kubernetes, group, rule.apiVersions, resource)
        if (found !== undefined) return found
      }
    }
  }
  return undefined
}

async function customSample(
  kubernetes: Kubernetes,
  group: string,
  versions: readonly string[],
  resource: string,
): Promise<KubeObject | undefined> {
  const crd = await kubernetes.get({ ...crdKind, name: `${resource}.${group}` })
  if (crd === undefined) return undefined
  const served: { name: string; served: boolean }[] = crd['spec']?.versions ?? []
  const version = served.find((entry) => entry.served && (versions.includes('*') || versions.includes(entry.name)))
  if (version === undefined) return undefined
  const namespaced = crd['spec']?.scope === 'Namespaced'
  return {
    apiVersion: `${group}/${version.name}`,
    kind: crd['spec']?.names?.kind,
    metadata: { name: 'k8s-platform-dry-run', ...(namespaced ? { namespace: 'default' } : {}) },
    spec: {},
  }
}
