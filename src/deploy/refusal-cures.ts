/** What helps against a refusal, whoever passes it on: the API server of one object, or Helm of a whole release. */
export interface Cure {
  readonly pattern: RegExp
  /** What may be given instead, as the end of "allowed: …". */
  readonly allowed: string
  /** What to do, where a release is refused. */
  readonly hint: string
}

/** The most particular first: a Job's immutable field before any. */
const cures: readonly Cure[] = [
  {
    pattern: /^FieldManagerConflict/,
    allowed: 'leave these fields out of the manifest, or take them with `force-conflicts: true`',
    hint: 'Another manager owns these fields: leave them out of the chart.',
  },
  {
    pattern: /provided port is already allocated/,
    allowed: 'a NodePort that is free, or none',
    hint: 'Another Service of the cluster has that NodePort: set the nodePort value to a free one, or to null to let the cluster choose.',
  },
  {
    pattern: /Job.*field is immutable|spec\.template: Invalid value.*Job/,
    allowed: 'a Job as it is: give a changed one another name, or delete the old one first',
    hint: 'A Job cannot be changed: give a changed one another name, or delete the old one first.',
  },
  {
    pattern: /updates to statefulset spec/,
    allowed: 'changes of replicas, template, updateStrategy and ordinals only',
    hint: 'Kubernetes does not change the volume claims of a StatefulSet: keep storage as it was, or delete the StatefulSet (with --cascade=orphan to keep its pods) first.',
  },
  {
    pattern: /field is immutable|cannot be changed|may not change/,
    allowed: 'the value it was created with; delete the object to change it',
    hint: 'The field keeps the value it was created with: delete the object to change it.',
  },
  {
    pattern: /invalid ownership metadata/,
    allowed: 'an object of this release, or none of that name',
    hint: 'The object exists and belongs to another release or to nobody: remove it, or deploy to another namespace.',
  },
  {
    pattern: /exceeded quota/,
    allowed: "what the namespace's ResourceQuota has left",
    hint: "Raise the namespace's ResourceQuota, or lower requests and replicas.",
  },
  {
    pattern: /is forbidden: User|^Forbidden .*cannot (patch|create|get)/,
    allowed: 'what the kubeconfig may do; docs/deploy.md lists the rights needed',
    hint: 'The kubeconfig lacks the right named; docs/deploy.md lists those needed.',
  },
]

export function cureOf(refusal: string): Cure | undefined {
  return cures.find(({ pattern }) => pattern.test(refusal))
}
