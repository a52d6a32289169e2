import { createHash } from 'node:crypto'
import type { Kubernetes } from '../kubernetes/client.ts'
import { groupOf } from '../kubernetes/object-state.ts'
import type { KubeObject, ObjectRef } from '../kubernetes/objects.ts'
import { ToolkitError } from '../process/errors.ts'

/**
 * What a release consists of, kept in the cluster: a ConfigMap that is the parent of an ApplySet (https://git.k8s.io/enhancements/keps/sig-cli/3659-kubectl-apply-prune),
 * whose members carry its id as a label. So other tools can tell whose an object is, and a later deployment knows what the one before it made.
 */
export interface Inventory {
  /** Counts the deployments that changed something. */
  readonly revision: number
  /** Digest of what was applied last. */
  readonly inputs: string
  readonly objects: readonly ObjectRef[]
}

export const partOfLabel = 'applyset.kubernetes.io/part-of'
const idLabel = 'applyset.kubernetes.io/id'
const tooling = 'k8s-platform/v1'
const fieldManager = 'k8s-platform-inventory'

/** Name of the ConfigMap. */
export function inventoryName(release: string): string {
  return `k8s-platform.${release}`
}

/** As the ApplySet specification derives it from the parent's name, namespace, kind and group. */
export function inventoryId(namespace: string, release: string): string {
  const parent = [inventoryName(release), namespace, 'ConfigMap', ''].join('.')
  return `applyset-${createHash('sha256').update(parent).digest('base64url')}-v1`
}

/** @throws ToolkitError INVENTORY_BROKEN where somebody has changed it beyond use. */
export async function readInventory(
  kubernetes: Kubernetes,
  namespace: string,
  release: string,
): Promise<Inventory | undefined> {
  const found = await kubernetes.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: inventoryName(release) })
  if (found === undefined) return undefined
  const { revision, inputs, objects } = (found['data'] ?? {}) as Record<string, string>
  try {
    const parsed = JSON.parse(objects ?? '') as readonly ObjectRef[]
    const usable =
      Array.isArray(parsed) && parsed.every((ref) => typeof ref?.kind === 'string' && typeof ref.name === 'string')
    if (usable && /^\d+$/.test(revision ?? ''))
      return { revision: Number(revision), inputs: inputs ?? '', objects: parsed }
  } catch {
    // Said below.
  }
  throw new ToolkitError(
    `the inventory of release ${release} cannot be read: ConfigMap ${namespace}/${inventoryName(release)}`,
    {
      code: 'INVENTORY_BROKEN',
      hint: 'Delete that ConfigMap: the next deployment writes it afresh, and does not know what older ones left behind.',
    },
  )
}

export async function writeInventory(
  kubernetes: Kubernetes,
  namespace: string,
  release: string,
  inventory: Inventory,
): Promise<void> {
  const kinds = [
    ...new Set(inventory.objects.map((ref) => [ref.kind, groupOf(ref)].filter((part) => part !== '').join('.'))),
  ]
  const elsewhere = new Set(
    inventory.objects.flatMap((ref) => ref.namespace ?? []).filter((name) => name !== namespace),
  )
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: inventoryName(release),
      namespace,
      labels: { [idLabel]: inventoryId(namespace, release), 'app.kubernetes.io/managed-by': 'k8s-platform' },
      annotations: {
        'applyset.kubernetes.io/tooling': tooling,
        'applyset.kubernetes.io/contains-group-kinds': kinds.sort().join(','),
        'applyset.kubernetes.io/additional-namespaces': [...elsewhere].sort().join(','),
      },
    },
    data: {
      revision: String(inventory.revision),
      inputs: inventory.inputs,
      objects: JSON.stringify(inventory.objects),
    },
  }
  await kubernetes.apply(object, { fieldManager })
}

/** The same object, whatever version of its group it is written in. */
export function sameRef(a: ObjectRef, b: ObjectRef): boolean {
  return a.kind === b.kind && a.name === b.name && a.namespace === b.namespace && groupOf(a) === groupOf(b)
}
