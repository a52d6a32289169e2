import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The tour first: when that is red, nothing after it means much. Then the others by name; last, what takes the shared cluster down. */
export default class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (file: TestSpecification): number =>
      file.moduleId.endsWith('/tour.test.ts') ? 0 : file.moduleId.endsWith('/traces.test.ts') ? 2 : 1
    return [...files].sort((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId))
  }
}
