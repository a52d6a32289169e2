import { BaseSequencer, type TestSpecification } from 'vitest/node'

const ranks = [
  ['tour', 0],
  ['traces', 2],
  ['lone-cluster', 3],
] as const

/** The tour first: when that is red, nothing after it means much. Then the others by name; then what takes the shared cluster down, and last what needs a host without any. */
export default class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const known = ranks.find(([name]) => moduleId.endsWith(`/${name}.test.ts`))
      return known === undefined ? 1 : known[1]
    }
    return [...files].sort((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId))
  }
}
