import { describe, it } from 'vitest'
import { creationFaults } from '../support/creation-faults.ts'
import { runCreationFault, runTransientRetry } from '../support/run-creation-fault.ts'

describe('a creation that cannot succeed names the culprit first', () => {
  it.each(creationFaults.map((entry) => [entry.fault, entry] as const))('%s', async (_fault, entry) => {
    await runCreationFault(entry)
  })
})

describe('a creation that can succeed', () => {
  it('is tried again after a failure that is known to pass, on a clean slate, with the logs of the first try kept', async () => {
    await runTransientRetry()
  })
})
