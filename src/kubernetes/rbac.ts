import type { KubeObject } from './objects.ts'

/** One rule of a role. */
export interface Rule {
  /** API group; empty for the core. */
  readonly group: string
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly names?: readonly string[]
}

export interface ServiceAccount {
  readonly namespace: string
  readonly name: string
}

const rbac = 'rbac.authorization.k8s.io'

/** A role of this name with these rules, and its binding to the account: in a namespace a Role, without one a ClusterRole. */
export function boundRole(
  name: string,
  namespace: string | undefined,
  rules: readonly Rule[],
  account: ServiceAccount,
): KubeObject[] {
  const kind = namespace === undefined ? 'ClusterRole' : 'Role'
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
  return [
    { apiVersion: `${rbac}/v1`, kind, metadata, rules: rules.map(ruleOf) },
    {
      apiVersion: `${rbac}/v1`,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: rbac, kind, name },
      subjects: [{ kind: 'ServiceAccount', name: account.name, namespace: account.namespace }],
    },
  ]
}

function ruleOf({ group, resources, verbs, names }: Rule): object {
  return { apiGroups: [group], resources, ...(names === undefined ? {} : { resourceNames: names }), verbs }
}

/** As people write them, and as a Markdown table may hold them: `deployments.apps`, `statefulsets.apps`. */
export function describeResources({ group, resources, names }: Omit<Rule, 'verbs'>): string {
  const suffix = group === '' ? '' : `.${group}`
  const named = names === undefined ? '' : ` ${names.map((name) => `\`${name}\``).join(', ')}`
  return `${resources.map((resource) => `\`${resource}${suffix}\``).join(', ')}${named}`
}
