import type { Host } from '../process/host.ts'
import { limitsToRaise, type RaisedLimits, raiseLimits } from './inotify.ts'
import type { StateJournal } from './state-journal.ts'

/** Recorded first, so that a kill in between leaves nothing raised. What an earlier run recorded is the true value of before. */
export async function raiseLowLimits(host: Host, journal: StateJournal): Promise<void> {
  let low: RaisedLimits = {}
  // Not while another run, the last but for us, puts them back.
  await journal.update(async ({ raisedLimits }) => {
    low = await limitsToRaise()
    return Object.keys(low).length === 0 ? {} : { raisedLimits: { ...low, ...raisedLimits } }
  })
  await raiseLimits(host, low)
}
