import { expect, it } from 'vitest'
import { creationFaults } from '../support/creation-faults.ts'
import { runCreationFault } from '../support/run-creation-fault.ts'

/** One that only the deadline tells, one that is final at once; test/nightly has all of them. */
const names = [
  'a worker whose kubelet cannot be started: the node never joins',
  'registry-port is taken by another process',
]
const sample = creationFaults.filter(({ fault }) => names.includes(fault))

it('has a row for each of the sample', () => expect(sample).toHaveLength(names.length))

/** On a machine with nothing else to do the worker's turn comes after 20 s. */
const deadlineMs = 55_000

it.each(sample.map((entry) => [entry.fault, entry] as const))('names the culprit: %s', async (_fault, entry) => {
  await runCreationFault(entry, deadlineMs)
})
