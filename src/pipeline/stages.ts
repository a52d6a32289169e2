/** How far to go; each stage includes those before it. */
export const stages = ['cluster', 'platform', 'app', 'assert'] as const
export type Stage = (typeof stages)[number]

/** True where a run that goes through `through` gets to `stage`. */
export function reaches(through: Stage, stage: Stage): boolean {
  return stages.indexOf(through) >= stages.indexOf(stage)
}
