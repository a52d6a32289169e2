import { clusterVotesPerSecond } from './cluster-client.ts'
import { type Killed, killed } from './kills.ts'

/** Votes under kills; the rows of docs/reliability.md are made of it before anything runs. */
export interface KillDrill {
  readonly votes: number
  readonly perSecond: number
  readonly kills: readonly Killed[]
  /** How often each is killed. */
  readonly times: number
}

/** A rollout of vote and result while votes come in by NodePort, so many a second. */
export interface RolloutDrill {
  readonly perSecond: number
}

/** Of all votes: kills are moments of a run, and for most of it the app must have worked, or there was little to lose. */
export const leastAcknowledged = 0.6

/** Of `npm test`. */
export const sampledVoteDrills = {
  kills: { votes: 900, perSecond: 60, kills: ['Redis', 'worker', 'result'], times: 1 },
  rollout: { perSecond: 20 },
} as const satisfies { kills: KillDrill; rollout: RolloutDrill }

/** Of the nightly run. */
export const voteDrills = {
  kills: { votes: 10_000, perSecond: 50, kills: killed, times: 2 },
  rollout: { perSecond: 40 },
} as const satisfies { kills: KillDrill; rollout: RolloutDrill }

export function killRow({ votes, perSecond, kills, times }: KillDrill) {
  const each = times === 1 ? 'once' : `${times} times`
  return {
    section: 'votes',
    fault: `${kills.join(', ')} killed ${each} each at random times in ${votes} votes (${perSecond} a second)`,
    expected: `no acknowledged vote lost, none counted twice, ${leastAcknowledged * 100} % acknowledged at least; the result page shows all without a reload`,
  } as const
}

export function rolloutRow({ perSecond }: RolloutDrill) {
  return {
    section: 'votes',
    fault: `vote and result rolled out under load (${perSecond} votes a second by NodePort, ${clusterVotesPerSecond} by ClusterIP)`,
    expected: 'no request fails, no vote lost; the result page goes on without a reload',
  } as const
}
