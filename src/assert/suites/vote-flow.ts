import { type Check, skipped } from '../check.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { newVote } from '../votes.ts'
import { findRoute, type VotingAppRoute } from '../voting-app-access.ts'
import { changed, countedOnce } from './vote-counting.ts'
import { accept, databaseWrites, stored } from './vote-delivery.ts'
import { live } from './vote-live.ts'

/**
 * R4: one vote followed from the HTTP answer to the database row to the live result, each hop a check of its own, so that the first red one is the broken hop.
 * The votes are real ones by voters of this run; they stay in the tally.
 */
export function voteFlowChecks(environment: SuiteEnvironment): Check[] {
  if (environment.target !== 'voting-app') return [notApplicable(environment)]
  const first = newVote(environment, 'first', 'a')
  let found: Promise<VotingAppRoute> | undefined
  const route = (): Promise<VotingAppRoute> => {
    found ??= findRoute(environment)
    return found
  }
  const readOnly = { suite: 'vote-flow', lane: 'parallel', timeoutMs: 60_000 } as const
  // One vote at a time: the live result must change by exactly the vote that is being looked at.
  const base = { ...readOnly, serial: 'votes' } as const
  return [
    {
      ...base,
      id: 'R4.accept',
      title: 'A vote posted over HTTP is acknowledged',
      needs: [],
      timeoutMs: 200_000,
      run: async (context) => accept(context, await route(), environment, first),
    },
    {
      ...readOnly,
      id: 'R4.database',
      title: 'Postgres takes writes',
      needs: [],
      run: () => databaseWrites(environment),
    },
    {
      ...base,
      id: 'R4.stored',
      title: 'The acknowledged vote is a row in Postgres',
      needs: ['R4.accept', 'R4.database'],
      run: (context) => stored(context, environment, first),
    },
    {
      ...base,
      id: 'R4.live',
      title: 'The live result changes by exactly the vote cast',
      needs: ['R4.accept', 'R4.database'],
      run: async (context) => live(context, await route(), environment),
    },
    {
      ...base,
      id: 'R4.once',
      title: 'A repeated vote is acknowledged and counted once',
      needs: ['R4.stored'],
      run: async (context) => countedOnce(context, await route(), environment, first),
    },
    {
      ...base,
      id: 'R4.change',
      title: 'A voter who changes the choice has one vote, the last one',
      needs: ['R4.once'],
      run: async (context) => changed(context, await route(), environment, first),
    },
  ]
}

function notApplicable(environment: SuiteEnvironment): Check {
  return {
    id: 'R4.accept',
    title: 'A vote posted over HTTP is acknowledged',
    suite: 'vote-flow',
    lane: 'parallel',
    needs: [],
    timeoutMs: 1_000,
    run: async () => skipped(`the target is ${environment.target}, which takes no votes`),
  }
}
