import { randomUUID } from 'node:crypto'
import { type CheckContext, fail, inconclusive, type Outcome, pass } from '../check.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { arrival, countsOf, isAccepted, newVote, notArrived, refusal, send, type Vote } from '../votes.ts'
import type { VotingAppRoute } from '../voting-app-access.ts'

/** R4.once: the same vote sent again is acknowledged, and changes nothing. */
export async function countedOnce(
  context: CheckContext,
  route: VotingAppRoute,
  environment: SuiteEnvironment,
  vote: Vote,
): Promise<Outcome> {
  const repeat = await send(route, vote)
  if (!isAccepted(repeat.http))
    return fail(`the repeat was not acknowledged: ${refusal(repeat)}`, { observations: { voteId: vote.voteId } })
  // The queue is in order: once a later vote is stored, the repeat has been through as well.
  const marker = newVote(environment, 'marker', 'a')
  const sent = await send(route, marker)
  if (!isAccepted(sent.http)) {
    const why = `the vote after the repeat was not acknowledged: ${refusal(sent)}`
    return inconclusive(why, { lost: sent.http === undefined })
  }
  const seen = await arrival(context, environment, marker)
  if (!seen.matched)
    return notArrived(seen.differences.join('; '), seen.timeToConvergeMs, environment, { voteId: marker.voteId })
  const counts = await countsOf(environment, vote)
  const status = repeat.http?.status ?? 0
  const observations = { voteId: vote.voteId, answer: status, ...counts }
  return counts.votes === 1 && counts.ballots === 1
    ? pass(`answered ${status}, counted once`, { observations })
    : fail(`sent twice, it is ${counts.votes} rows and ${counts.ballots} counting votes`, { observations })
}

/** R4.change: another choice by the same voter moves the vote. */
export async function changed(
  context: CheckContext,
  route: VotingAppRoute,
  environment: SuiteEnvironment,
  first: Vote,
): Promise<Outcome> {
  const second: Vote = { ...first, voteId: randomUUID(), choice: first.choice === 'a' ? 'b' : 'a' }
  const sent = await send(route, second)
  if (!isAccepted(sent.http))
    return fail(`the second vote was not acknowledged: ${refusal(sent)}`, { observations: { voteId: second.voteId } })
  const seen = await arrival(context, environment, second)
  if (!seen.matched)
    return notArrived(seen.differences.join('; '), seen.timeToConvergeMs, environment, { voteId: second.voteId })
  const counts = await countsOf(environment, second)
  const observations = { voteId: second.voteId, ...counts }
  return counts.ballots === 1 && counts.choice === second.choice
    ? pass(`moved from ${first.choice} to ${second.choice}, ${counts.votes} votes kept, one counts`, {
        observations,
        timeToConvergeMs: seen.timeToConvergeMs,
      })
    : fail(`after voting ${second.choice} the voter has ${counts.ballots} counting votes, for ${counts.choice}`, {
        observations,
      })
}
