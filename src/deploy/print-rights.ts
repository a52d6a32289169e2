import { stringify } from 'yaml'
import type { Kubernetes } from '../kubernetes/client.ts'
import { createKubernetes } from '../kubernetes/create-kubernetes.ts'
import { Discovery } from '../kubernetes/discovery.ts'
import { groupOf } from '../kubernetes/object-state.ts'
import type { KubeObject } from '../kubernetes/objects.ts'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { silentLogger } from '../process/log.ts'
import type { DeployRequest, DeployTools } from './deploy.ts'
import { renderChart } from './deploy-chart.ts'
import { manifestObjects } from './helm-record.ts'
import { settleScopes, withScopes } from './object-scopes.ts'
import { type DeployContent, readDeployment } from './read-deployment.ts'
import { type Needs, rightsObjects } from './rights.ts'

/** For `kubectl apply -f -`, by somebody who may grant them: an account with the rights that this deployment needs. Changes nothing. */
export async function renderRights(host: Host, request: DeployRequest, tools: DeployTools): Promise<string> {
  const objects = rightsObjects(await needsOf(host, request, tools))
  return objects.map((object) => stringify(object)).join('---\n')
}

/**
 * What is deployed, as this machine and the cluster know it: which resource a kind is, and whether it has a namespace, only the server can tell.
 * @throws InputError with everything that is wrong with it.
 */
export async function needsOf(host: Host, request: DeployRequest, tools: DeployTools): Promise<Needs> {
  const { release, namespace, prune } = request
  const content = await readDeployment(host, request, () => tools.kubectl(host))
  const cluster = await tools.cluster()
  const kubernetes = await (tools.connect ?? createKubernetes)(host, cluster)
  const objects =
    content.kind === 'chart'
      ? await chartObjects(host, kubernetes, request, content, tools)
      : await settledObjects(kubernetes, content, namespace)
  const discovery = new Discovery((path) => kubernetes.raw(path))
  const known = objects.map(async (object) => ({ object, resource: await resourceOf(discovery, objects, object) }))
  const way = content.kind
  return { way, release, namespace: namespace.name, prune, objects: await Promise.all(known) }
}

async function settledObjects(
  kubernetes: Kubernetes,
  content: Extract<DeployContent, { kind: 'objects' }>,
  namespace: DeployRequest['namespace'],
): Promise<KubeObject[]> {
  const { objects, problems } = await settleScopes(kubernetes, content.objects, namespace)
  if (problems.length > 0) throw new InputError(problems)
  return objects.map(({ object }) => object)
}

async function chartObjects(
  host: Host,
  kubernetes: Kubernetes,
  request: DeployRequest,
  content: Extract<DeployContent, { kind: 'chart' }>,
  tools: DeployTools,
): Promise<KubeObject[]> {
  const cluster = await tools.cluster()
  const connect = (signal: AbortSignal): Promise<Kubernetes> =>
    (tools.connect ?? createKubernetes)({ ...host, signal, log: silentLogger }, cluster)
  const rendered = await renderChart(host, { ...request, ...cluster, content, helm: () => tools.helm(host), connect })
  const manifests = [rendered.manifest, ...(rendered.hooks ?? []).map(({ manifest }) => manifest)]
  return withScopes(
    kubernetes,
    manifests.flatMap((manifest) => manifestObjects(manifest, request.namespace.name)),
  )
}

/** `deployments`; of a kind that comes with the same deployment, as its definition says. */
async function resourceOf(discovery: Discovery, objects: readonly KubeObject[], object: KubeObject): Promise<string> {
  try {
    return (await discovery.resource(object)).plural
  } catch (error) {
    const definition = objects.find(
      ({ kind, spec }) =>
        kind === 'CustomResourceDefinition' && spec?.group === groupOf(object) && spec?.names?.kind === object.kind,
    )
    if (definition === undefined) throw error
    return definition['spec'].names.plural
  }
}
