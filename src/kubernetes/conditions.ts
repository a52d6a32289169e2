import type { KubeObject } from './objects.ts'

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  /** Of nodes only. */
  readonly lastHeartbeatTime?: string
  readonly observedGeneration?: number
}

/** A condition of the object, when it has it. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  const conditions = (object['status']?.conditions ?? []) as Condition[]
  return conditions.find((condition) => condition.type === type)
}

/** Of a node or a pod: it says so itself. */
export function isReady(object: KubeObject): boolean {
  return conditionOf(object, 'Ready')?.status === 'True'
}
