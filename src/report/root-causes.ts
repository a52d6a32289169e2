import type { CheckRecord } from './record.ts'

/** One thing that is wrong, as far as the checks can tell. */
export interface RootCause {
  /** Red, and nothing that they need is. Several only where all of them give the same reason. */
  readonly roots: readonly [CheckRecord, ...CheckRecord[]]
  /** Red or skipped because of it, at any distance. */
  readonly followers: readonly CheckRecord[]
}

export function isRed(check: CheckRecord): boolean {
  return check.verdict === 'fail' || check.verdict === 'inconclusive'
}

/** The red checks grouped by what `needs` says about them, in the order of the record. A check that follows from several causes counts with the first. */
export function rootCauses(checks: readonly CheckRecord[]): RootCause[] {
  const byId = new Map(checks.map((check) => [check.id, check]))
  const known = new Map<string, CheckRecord | undefined>()
  /** The red check that needs none that is red, seen from this one; undefined where there is none. */
  const rootOf = (check: CheckRecord): CheckRecord | undefined => {
    if (known.has(check.id)) return known.get(check.id)
    // A circle of needs, which the engine refuses, must not hang a report.
    known.set(check.id, isRed(check) ? check : undefined)
    const above = check.needs.map((id) => byId.get(id)).filter((need) => need !== undefined)
    const root = above
      .filter((need) => isRed(need) || need.verdict === 'skipped')
      .map(rootOf)
      .find((found) => found !== undefined)
    if (root !== undefined) known.set(check.id, root)
    return known.get(check.id)
  }
  const causes = new Map<string, { roots: [CheckRecord, ...CheckRecord[]]; followers: CheckRecord[] }>()
  const keyOf = (root: CheckRecord): string => `${root.verdict} ${root.reason}`
  for (const check of checks) {
    if (!isRed(check) || rootOf(check) !== check) continue
    const cause = causes.get(keyOf(check))
    if (cause === undefined) causes.set(keyOf(check), { roots: [check], followers: [] })
    else cause.roots.push(check)
  }
  for (const check of checks) {
    if (check.verdict === 'pass') continue
    const root = rootOf(check)
    if (root !== undefined && root !== check) causes.get(keyOf(root))?.followers.push(check)
  }
  return [...causes.values()]
}
