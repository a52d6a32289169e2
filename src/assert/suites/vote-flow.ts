import { randomUUID } from 'node:crypto'
import type { HttpAnswer, HttpRequest, LiveFrame, ProbeResult } from '../../probe/protocol.ts'
import { formatSeconds } from '../../process/wait.ts'
import type { Evidence, Json } from '../../report/record.ts'
import { type Check, type CheckContext, fail, inconclusive, type Outcome, pass, skipped } from '../check.ts'
import { converge } from '../converge.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { describeDial } from '../probe-batch.ts'
import { explainPipeline, findRoute, query, type VotingAppRoute } from '../voting-app-access.ts'

const postMs = 5_000
/** How long an accepted vote may take to be stored and shown. On a healthy system it is milliseconds. */
const arriveMs = 10_000
const settleMs = 300

type Choice = 'a' | 'b'

interface Vote {
  readonly voteId: string
  readonly voterId: string
  readonly choice: Choice
}

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
  // One vote at a time: the live result must change by exactly the vote that is being looked at.
  const base = { suite: 'vote-flow', lane: 'parallel', serial: 'votes', timeoutMs: 60_000 } as const
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
      ...base,
      id: 'R4.stored',
      title: 'The acknowledged vote is a row in Postgres',
      needs: ['R4.accept'],
      run: (context) => stored(context, environment, first),
    },
    {
      ...base,
      id: 'R4.live',
      title: 'The live result changes by exactly the vote cast',
      needs: ['R4.accept'],
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

function newVote(environment: SuiteEnvironment, voter: string, choice: Choice): Vote {
  return { voteId: randomUUID(), voterId: `k8s-platform-check-${environment.nonce}-${voter}`, choice }
}

function post(route: VotingAppRoute, vote: Vote): Omit<HttpRequest, 'id' | 'kind' | 'timeoutMs'> {
  return {
    url: new URL('/api/votes', route.vote).href,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(vote),
  }
}

async function send(route: VotingAppRoute, vote: Vote): Promise<ProbeResult> {
  const [result] = await route.runner.run([{ kind: 'http', id: 'vote', timeoutMs: postMs, ...post(route, vote) }])
  return result ?? { id: 'vote', dial: 'error', elapsedMs: 0, detail: 'no result' }
}

const isAccepted = (answer: HttpAnswer | undefined): boolean =>
  answer !== undefined && answer.status >= 200 && answer.status < 300

function refusal(result: ProbeResult): string {
  return result.http === undefined
    ? describeDial(result)
    : `${result.http.status} ${result.http.body.slice(0, 200).trim()}`
}

async function accept(
  context: CheckContext,
  route: VotingAppRoute,
  environment: SuiteEnvironment,
  vote: Vote,
): Promise<Outcome> {
  context.waiting(`an answer of ${route.vote}`)
  let last: ProbeResult | undefined
  // The client made the vote's id, so sending it again is safe: that is the contract with a client whose answer got lost.
  const seen = await converge(
    context,
    async () => {
      last = await send(route, vote)
      return {
        value: last,
        differences: isAccepted(last.http) ? [] : [`POST ${route.vote}/api/votes: ${refusal(last)}`],
      }
    },
    { timeoutMs: Math.min(5_000, environment.convergeMs) },
  )
  const observations: Record<string, Json> = { voteId: vote.voteId, url: route.vote, from: route.runner.place }
  if (!seen.matched) {
    return fail(`${seen.differences.join('; ')} (from ${route.runner.place})`, {
      observations,
      evidence: [
        {
          text: 'The vote service answers 503 while Redis is away or full.',
          command: `kubectl -n ${environment.namespace} logs -l app=vote --tail=50`,
        },
      ],
    })
  }
  return pass(`${seen.value.http?.status} in ${formatSeconds(seen.value.elapsedMs)} from ${route.vote}`, {
    observations: { ...observations, answer: parse(seen.value.http) },
    timeToConvergeMs: seen.timeToConvergeMs,
  })
}

function parse(answer: HttpAnswer | undefined): { readonly [key: string]: Json } {
  try {
    const value: unknown = JSON.parse(answer?.body ?? '')
    return typeof value === 'object' && value !== null ? (value as { [key: string]: Json }) : {}
  } catch {
    return {}
  }
}

/** Rows of one vote: `choice|voterId`. */
function rowsOf(environment: SuiteEnvironment, vote: Vote): Promise<string[]> {
  return query(environment, "select choice, voter_id from votes where vote_id = :'id'", { id: vote.voteId })
}

/** Waits until the vote is a row. */
async function arrival(
  context: CheckContext,
  environment: SuiteEnvironment,
  vote: Vote,
): ReturnType<typeof converge<string[]>> {
  return converge(
    context,
    async () => {
      const rows = await rowsOf(environment, vote)
      const right = rows.length === 1 && rows[0] === `${vote.choice}|${vote.voterId}`
      const seen = rows.length === 0 ? 'no row' : `rows ${rows.join(', ')}`
      return { value: rows, differences: right ? [] : [`${seen} for vote ${vote.voteId} in Postgres`] }
    },
    { timeoutMs: arriveMs, intervalMs: 250 },
  )
}

async function stored(context: CheckContext, environment: SuiteEnvironment, vote: Vote): Promise<Outcome> {
  const seen = await arrival(context, environment, vote)
  const observations = { voteId: vote.voteId, rows: seen.value }
  if (seen.matched) {
    return pass(`row found after ${formatSeconds(seen.timeToConvergeMs)}`, {
      observations,
      timeToConvergeMs: seen.timeToConvergeMs,
    })
  }
  return notArrived(seen.differences.join('; '), seen.timeToConvergeMs, environment, observations)
}

/** The vote was acknowledged and is not where it should be: what the pipeline says comes first. */
async function notArrived(
  what: string,
  afterMs: number,
  environment: SuiteEnvironment,
  observations: Record<string, Json>,
): Promise<Outcome> {
  const pipeline = await explainPipeline(environment)
  return fail(`${pipeline}: ${what} after ${formatSeconds(afterMs)}`, {
    observations: { ...observations, pipeline },
    evidence: pipelineEvidence(environment, pipeline),
  })
}

function pipelineEvidence(environment: SuiteEnvironment, pipeline: string): Evidence[] {
  const { namespace } = environment
  return [
    { text: pipeline, command: `kubectl -n ${namespace} get deployment,pod -l app=worker` },
    { text: 'What the worker says', command: `kubectl -n ${namespace} logs -l app=worker --tail=50` },
  ]
}

interface Scores {
  readonly a: number
  readonly b: number
  readonly total: number
  readonly sequence: number
}

function scoresOf({ frame }: LiveFrame): Scores {
  const scores = (frame['scores'] ?? {}) as { a?: unknown; b?: unknown }
  return {
    a: Number(scores.a),
    b: Number(scores.b),
    total: Number(frame['total']),
    sequence: Number(frame['sequence']),
  }
}

/**
 * The frame before ours and the first one that includes it (by sequence, which the acknowledgement names) must differ by exactly our vote. Where others vote
 * at the same time, Postgres tells how many votes were counted between the two, and the tally must not have moved by more.
 */
async function live(context: CheckContext, route: VotingAppRoute, environment: SuiteEnvironment): Promise<Outcome> {
  const vote = newVote(environment, 'live', 'b')
  const url = new URL('/ws', route.result.replace(/^http/, 'ws')).href
  context.waiting(`frames of ${url}`)
  const started = context.host.clock.monotonic()
  const [result] = await route.runner.run([
    {
      kind: 'live',
      id: 'live',
      url,
      frameType: 'scores',
      field: 'sequence',
      trigger: post(route, vote),
      settleMs,
      timeoutMs: arriveMs,
    },
  ])
  const answer = result?.live
  const frames = [...(answer?.baseline === undefined ? [] : [answer.baseline]), ...(answer?.frames ?? [])]
  const observations: Record<string, Json> = {
    voteId: vote.voteId,
    url,
    from: route.runner.place,
    frames: frames as unknown as Json,
  }
  if (answer?.baseline === undefined) {
    return fail(
      `no result over ${url}: ${result === undefined ? 'no record' : `${result.dial}: ${result.detail ?? ''}`}`,
      {
        observations,
        evidence: [
          {
            text: 'The result service sends the scores on connect.',
            command: `kubectl -n ${environment.namespace} logs -l app=result --tail=50`,
          },
        ],
      },
    )
  }
  const { trigger } = answer
  if (!isAccepted(trigger?.http)) {
    const why =
      trigger?.http === undefined ? (trigger?.detail ?? result?.detail) : `${trigger.http.status} ${trigger.http.body}`
    return inconclusive(`the vote to watch for was not acknowledged: ${why}`, { observations })
  }
  const ours = Number(parse(trigger?.http)['sequence'])
  const at = frames.findIndex((frame) => scoresOf(frame).sequence >= ours)
  const [before, after] = [frames[at - 1], frames[at]]
  if (before === undefined || after === undefined) {
    const waited = context.host.clock.monotonic() - started
    return notArrived(`no live result with vote ${vote.voteId}`, waited, environment, observations)
  }
  return judgeStep(environment, vote, before, after, observations)
}

async function judgeStep(
  environment: SuiteEnvironment,
  vote: Vote,
  before: LiveFrame,
  after: LiveFrame,
  observations: Record<string, Json>,
): Promise<Outcome> {
  const [from, to] = [scoresOf(before), scoresOf(after)]
  const step = { a: to.a - from.a, b: to.b - from.b, total: to.total - from.total }
  const more = { observations: { ...observations, step }, timeToConvergeMs: after.atMs }
  const moved = `a ${signed(step.a)}, b ${signed(step.b)}, total ${signed(step.total)}`
  if (to.a + to.b !== to.total)
    return fail(`the live result does not add up: ${to.a} + ${to.b} is not ${to.total}`, more)
  const other = vote.choice === 'a' ? 'b' : 'a'
  if (step[vote.choice] === 1 && step[other] === 0) {
    return pass(`${moved}, ${formatSeconds(after.atMs)} after the vote was sent`, more)
  }
  const counted = await query(
    environment,
    "select count(*) from votes where sequence > :'after'::bigint and sequence <= :'upto'::bigint",
    { after: String(from.sequence), upto: String(to.sequence) },
  )
  const votes = Number(counted[0] ?? Number.NaN)
  const alone = votes === 1
  const evidence = [{ text: `Postgres counts ${votes} votes between the two frames; the tally moved: ${moved}` }]
  if (alone || step.total > votes || Number.isNaN(votes)) {
    return fail(`the live result moved by ${moved} for one vote for ${vote.choice}`, { ...more, evidence })
  }
  return pass(`${moved} for ${votes} votes counted at the same time, ours among them`, { ...more, evidence })
}

function signed(value: number): string {
  return value > 0 ? `+${value}` : String(value)
}

async function countedOnce(
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
  if (!isAccepted(sent.http)) return inconclusive(`the vote after the repeat was not acknowledged: ${refusal(sent)}`)
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

async function changed(
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

/** Of one voter: rows kept, votes that count, and for what. */
async function countsOf(
  environment: SuiteEnvironment,
  vote: Vote,
): Promise<{ votes: number; ballots: number; choice: string }> {
  const rows = await query(
    environment,
    "select (select count(*) from votes where voter_id = :'voter'), (select count(*) from ballots where voter_id = :'voter'), (select max(choice) from ballots where voter_id = :'voter')",
    { voter: vote.voterId },
  )
  const [votes, ballots, choice] = (rows[0] ?? '').split('|')
  return { votes: Number(votes), ballots: Number(ballots), choice: choice ?? '' }
}
