import type { Rule } from '../kubernetes/rbac.ts'

/** How objects come into the cluster: manifests and kustomizations by server-side apply, a chart through Helm. */
export type Way = 'objects' | 'chart'

/** Where a right is needed: in the release's namespace, where each object is (its namespace, or the cluster), in every namespace that has objects, … */
export type Place = 'release' | 'object' | 'namespaces' | 'cluster' | 'kube-system'

/** Only then; {@link occasions} says so for people. */
export type Occasion = 'prune' | 'missing namespace' | 'replicas' | 'claims' | 'custom kinds' | 'exposed'

/** One rule that an account needs. */
export interface Permission {
  readonly place: Place
  /** The resources, or the kind of each object. */
  readonly on: Omit<Rule, 'verbs'> | 'its kind'
  readonly verbs: readonly string[]
  /** Default: both. */
  readonly way?: Way
  readonly when?: Occasion
  readonly why: string
  /** What happens without it, where the deployment goes on. Default: it is refused, and what is missing is named. */
  readonly without?: string
}

export const occasions: Readonly<Record<Occasion, string>> = {
  prune: 'with `prune`',
  'missing namespace': 'where a namespace is missing',
  replicas: 'with `replicas`',
  claims: 'with claims',
  'custom kinds': 'with custom kinds',
  exposed: 'with NodePorts and load balancers',
}

const explained = 'less is explained'

/**
 * Every right that a deployment uses, the one source of the manifest of `--print-rbac`, of the table in docs/deploy.md and of the test that takes them away one by one. What
 * every account may do (discovery, `/version`) is not among them.
 */
export const permissions: readonly Permission[] = [
  {
    place: 'release',
    on: { group: '', resources: ['configmaps'] },
    verbs: ['get', 'create', 'patch'],
    way: 'objects',
    why: 'the inventory',
  },
  {
    place: 'release',
    on: { group: '', resources: ['secrets'] },
    verbs: ['list', 'watch', 'create', 'delete'],
    way: 'chart',
    why: 'Helm’s records; another operation is waited for',
  },
  {
    place: 'release',
    on: { group: '', resources: ['secrets'] },
    verbs: ['update'],
    way: 'chart',
    why: 'Helm’s word that it is done',
    // Helm tells nobody that it failed to.
    without: 'the next deployment waits a minute, and takes this one for dead',
  },
  { place: 'object', on: 'its kind', verbs: ['get', 'create', 'patch'], why: 'judging and applying it' },
  {
    place: 'object',
    on: 'its kind',
    verbs: ['list', 'watch'],
    why: 'waiting for it, and for the end of one that is being deleted',
  },
  {
    place: 'object',
    on: 'its kind',
    verbs: ['delete'],
    way: 'objects',
    when: 'prune',
    why: 'removing it; without list and watch it stays listed as left',
  },
  {
    place: 'object',
    on: 'its kind',
    verbs: ['delete'],
    way: 'chart',
    why: 'removing what the chart has no more',
    without: 'Helm leaves it, and does not say so',
  },
  {
    place: 'namespaces',
    on: { group: 'autoscaling', resources: ['horizontalpodautoscalers'] },
    verbs: ['list'],
    way: 'objects',
    when: 'replicas',
    why: 'leaving an autoscaler its replicas',
    without: 'the manifest’s number',
  },
  {
    place: 'namespaces',
    on: { group: '', resources: ['namespaces'] },
    verbs: ['get'],
    why: 'seeing what is missing',
    without: 'taken to be there',
  },
  {
    place: 'namespaces',
    on: { group: '', resources: ['pods', 'events'] },
    verbs: ['list', 'watch'],
    why: 'why something is not ready',
    without: explained,
  },
  {
    place: 'namespaces',
    on: { group: 'apps', resources: ['replicasets'] },
    verbs: ['list', 'watch'],
    why: 'the same',
    without: explained,
  },
  {
    place: 'namespaces',
    on: { group: '', resources: ['pods/log'] },
    verbs: ['get'],
    why: 'the same',
    without: explained,
  },
  {
    place: 'cluster',
    on: { group: 'storage.k8s.io', resources: ['storageclasses'] },
    verbs: ['list'],
    when: 'claims',
    why: 'some bind late',
    without: 'taken for not doing so',
  },
  {
    place: 'cluster',
    on: { group: 'apiextensions.k8s.io', resources: ['customresourcedefinitions'] },
    verbs: ['list'],
    when: 'custom kinds',
    why: 'some report conditions',
    without: 'one without conditions is ready',
  },
  {
    place: 'cluster',
    on: { group: '', resources: ['nodes'] },
    verbs: ['list'],
    when: 'exposed',
    why: 'URLs',
    without: 'none, with a notice',
  },
  {
    place: 'kube-system',
    on: { group: '', resources: ['configmaps'], names: ['k8s-platform-host-ports'] },
    verbs: ['get'],
    when: 'exposed',
    why: 'URLs',
    without: 'none, with a notice',
  },
  {
    place: 'cluster',
    on: { group: '', resources: ['namespaces'] },
    // `patch` is for one that the manifests have.
    verbs: ['create', 'patch'],
    when: 'missing namespace',
    why: 'making it',
    without: 'the first object in it tells',
  },
  {
    place: 'cluster',
    on: { group: '', resources: ['namespaces'] },
    verbs: ['delete', 'list', 'watch'],
    when: 'missing namespace',
    why: 'taking back one made for what is refused',
    without: 'it stays, and is named',
  },
  {
    place: 'namespaces',
    on: { group: '', resources: ['serviceaccounts'] },
    verbs: ['list', 'watch'],
    way: 'objects',
    when: 'missing namespace',
    why: 'a bare pod needs the default one',
    without: 'not waited for',
  },
]
