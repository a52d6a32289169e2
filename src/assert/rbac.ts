import { stringify } from 'yaml'
import type { KubeObject } from '../kubernetes/objects.ts'
import { boundRole, describeResources } from '../kubernetes/rbac.ts'
import { ownNamespacePermissions, type Permission, type Place, permissions, permissionsOf } from './permissions.ts'

export interface RbacOptions {
  readonly suites: readonly string[]
  /** The namespace under test. */
  readonly namespace: string
  readonly probeNamespace: string
  /** Default: what the suites need; the test that takes rules away gives its own. */
  readonly permissions?: readonly Permission[]
}

/** Name of the account, the roles and the bindings. */
export const rbacName = 'k8s-platform-assert'
export const defaultProbeNamespace = 'k8s-platform-probes'

/**
 * A namespace for the probe pods, an account in it, and the rights that the suites need, no more: rights in a namespace are a Role there, so that the account sees no other
 * namespace of an app.
 */
export function rbacObjects(options: RbacOptions): KubeObject[] {
  const granted = options.permissions ?? permissionsOf(options.suites)
  const places = [...new Set(granted.map((permission) => permission.place))]
  return [...probeHome(options.probeNamespace), ...places.flatMap((place) => roleAt(place, granted, options))]
}

function probeHome(namespace: string): KubeObject[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: rbacName, namespace } },
  ]
}

function roleAt(place: Place, granted: readonly Permission[], options: RbacOptions): KubeObject[] {
  const rules = granted.filter((permission) => permission.place === place)
  // Accounts of several probe namespaces have roles in the same places, and two places may be one namespace.
  const name = `${rbacName}-${options.probeNamespace}-${place}`
  return boundRole(name, namespaceOf(place, options), rules, { name: rbacName, namespace: options.probeNamespace })
}

function namespaceOf(place: Place, options: RbacOptions): string | undefined {
  if (place === 'cluster') return undefined
  if (place === 'app') return options.namespace
  return place === 'probes' ? options.probeNamespace : place
}

/** For `kubectl apply -f -`. */
export function renderRbac(options: RbacOptions): string {
  const objects = rbacObjects(options).map((object) => stringify(object))
  return [...(options.suites.includes('readiness') ? [webhookRights] : []), objects.join('---\n')].join('')
}

/** What no manifest can know: which webhooks a cluster has. */
const webhookRights = `# Where the cluster has admission webhooks, R3.webhooks is inconclusive without more, to be added by hand:
# - list endpointslices.discovery.k8s.io in the namespace of each webhook's Service,
# - create, in the namespace default, one of the kinds that the webhook watches, such as pods; only dry-runs are made,
# - get customresourcedefinitions.apiextensions.k8s.io, where it watches custom resources.
`

const placeNames: Readonly<Record<Place, string>> = {
  cluster: 'the cluster',
  app: 'the namespace looked at',
  probes: 'the probe namespace',
  'kube-system': '`kube-system`',
  'kube-node-lease': '`kube-node-lease`',
  default: '`default`',
}

/** The rights as a Markdown table, for the docs. */
export function permissionTable(granted: readonly Permission[]): string {
  const rows = granted.map((permission) => {
    const { place, suites, verbs, why } = permission
    return `| ${placeNames[place]} | ${describeResources(permission)} | ${verbs.join(', ')} | ${suites.join(', ')} | so that ${why} |`
  })
  return ['| in | resource | verbs | suites | why |', '|---|---|---|---|---|', ...rows].join('\n')
}

/** What the README of the action and docs/assertions.md say, the same in both. */
export function rightsText(): string {
  return [
    'An account of its own, with these rights and no more, is printed for `kubectl apply` by',
    '',
    '```sh',
    'k8s-platform assert --print-rbac --target generic --namespace shop | kubectl apply -f -',
    '```',
    '',
    `It lives in the namespace \`${defaultProbeNamespace}\`, or the one of \`--probe-namespace\`, under Pod Security \`restricted\`; give the same as \`probe-namespace\` to the run. Its kubeconfig is yours with the token of \`kubectl -n ${defaultProbeNamespace} create token ${rbacName}\` in the place of your credentials. A check that lacks a right is inconclusive and says which.`,
    '',
    permissionTable(permissions),
    '',
    'Where the cluster has admission webhooks, `R3.webhooks` also lists EndpointSlices of their namespaces, and creates by dry-run what they watch; without these rights it is inconclusive. Without `probe-namespace` the run makes a namespace, so what is said of the probe namespace is needed in the whole cluster, and:',
    '',
    permissionTable(ownNamespacePermissions),
  ].join('\n')
}
