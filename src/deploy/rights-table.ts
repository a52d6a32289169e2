import { describeResources } from '../kubernetes/rbac.ts'
import { occasions, type Permission, type Place, permissions, type Way } from './permissions.ts'

const places: Readonly<Record<Place, string>> = {
  release: 'release’s namespace',
  object: 'where each object is',
  namespaces: 'each namespace with objects',
  cluster: 'cluster',
  'kube-system': '`kube-system`',
}

const ways: Readonly<Record<Way, string>> = { objects: 'manifests, kustomization', chart: 'chart' }

/** The rights as a Markdown table, for docs/deploy.md. */
export function permissionTable(): string {
  return [
    '| Where | On | Verbs | When | What for | Without it |',
    '|---|---|---|---|---|---|',
    ...permissions.map(row),
  ].join('\n')
}

function row({ place, on, verbs, way, when, why, without }: Permission): string {
  const what = on === 'its kind' ? on : describeResources(on)
  const conditions = [...(way === undefined ? [] : [ways[way]]), ...(when === undefined ? [] : [occasions[when]])]
  return `| ${[places[place], what, verbs.join(', '), conditions.join(', '), why, without ?? 'refused'].join(' | ')} |`
}
