import { messageOf } from '../../src/process/errors.ts'
import { type FaultResult, recordFault } from './fault-results.ts'

/** A row of docs/reliability.md before its drill has run. */
export type FaultRow = Pick<FaultResult, 'section' | 'fault' | 'expected'>

/** What a drill showed; `wrong` has a line for each expectation that was not met, and decides alone whether it held. */
export interface Finding {
  readonly seen: string
  readonly wrong: readonly string[]
}

type Record = (result: FaultResult) => void

/** Runs a drill, writes its row whatever comes of it, and rejects when it did not hold. A drill that could not even be tried is a row too. */
export async function proveFault(
  row: FaultRow,
  drill: () => Promise<Finding>,
  record: Record = recordFault,
): Promise<void> {
  let finding: Finding
  try {
    finding = await drill()
  } catch (error) {
    record({ ...row, seen: messageOf(error), held: false })
    throw error
  }
  record({ ...row, seen: finding.seen, held: finding.wrong.length === 0 })
  if (finding.wrong.length > 0) throw new Error(`${row.fault}: ${finding.wrong.join('\n')}`)
}

/** What takes back one thing that a drill has done; registered before it is done. */
export type Mend = (step: () => Promise<unknown>) => void

/**
 * Runs `drill`, then each step that it registered, the last first and all of them, whatever fails on the way. One error is thrown as it is; of several the first stays first:
 * it is the verdict, the others are what it left behind. What could not be mended is a row that did not hold: the drills after it meet it.
 */
export async function mended(
  row: FaultRow,
  drill: (mend: Mend) => Promise<void>,
  record: Record = recordFault,
): Promise<void> {
  const steps: (() => Promise<unknown>)[] = []
  const errors: unknown[] = []
  const attempt = (run: () => Promise<unknown>): Promise<void> =>
    Promise.resolve()
      .then(run)
      .then(
        () => {},
        (error: unknown) => void errors.push(error),
      )
  await attempt(() => drill((step) => steps.push(step)))
  const before = errors.length
  for (const step of steps.reverse()) await attempt(step)
  const left = errors.slice(before).map(messageOf)
  if (left.length > 0) record({ ...row, seen: `not mended: ${left.join('; ')}`, held: false })
  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) throw new AggregateError(errors, errors.map(messageOf).join('\nand then: '))
}
