import { it } from 'vitest'
import { creationFaults } from '../support/creation-faults.ts'
import { runCreationFault } from '../support/run-creation-fault.ts'

/** One that only the deadline tells, one that is final at once; test/nightly has all of them. */
const sample = creationFaults.filter(({ fault }) => /never joins|registry-port is taken/.test(fault))

/** On a machine with nothing else to do the worker's turn comes after 20 s. */
const deadlineMs = 55_000

it.each(sample.map((entry) => [entry.fault, entry] as const))('names the culprit: %s', async (_fault, entry) => {
  await runCreationFault(entry, deadlineMs)
})
