import type { ApiError } from '../kubernetes/api-error.ts'
import type { KubeObject } from '../kubernetes/objects.ts'

/** A field that our manifest sets and somebody else owns with another value. */
export interface FieldConflict {
  readonly field: string
  readonly manager: string
  /** The owner applies manifests, too: it would take the field back. */
  readonly applies: boolean
}

/** The conflicts in the server's refusal of an apply without force. */
export function fieldConflicts(error: ApiError, live: KubeObject | undefined): FieldConflict[] {
  const managers = (live?.metadata.managedFields ?? []) as { manager?: string; operation?: string }[]
  return error.causes
    .filter((cause) => cause.reason === 'FieldManagerConflict')
    .map((cause) => {
      const manager = /conflict with "((?:[^"\\]|\\.)*)"/.exec(cause.message ?? '')?.[1] ?? 'an unknown manager'
      const applies = managers.some((entry) => entry.manager === manager && entry.operation === 'Apply')
      return { field: cause.field ?? '(unknown field)', manager, applies }
    })
}

/** `.spec.replicas (owned by kubectl-edit), .data.mode (owned by argocd-controller)` */
export function describeConflicts(conflicts: readonly FieldConflict[]): string {
  return conflicts.map(({ field, manager }) => `${field} (owned by ${manager})`).join(', ')
}
