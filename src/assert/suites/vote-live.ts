import type { LiveFrame } from '../../probe/protocol.ts'
import { formatSeconds } from '../../process/wait.ts'
import type { Json } from '../../report/record.ts'
import { type CheckContext, fail, inconclusive, type Outcome, pass } from '../check.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { arriveMs, isAccepted, newVote, notArrived, parse, post, type Vote } from '../votes.ts'
import { query, type VotingAppRoute } from '../voting-app-access.ts'

const settleMs = 300

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
export async function live(
  context: CheckContext,
  route: VotingAppRoute,
  environment: SuiteEnvironment,
): Promise<Outcome> {
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
    return inconclusive(`the vote to watch for was not acknowledged: ${why}`, {
      observations,
      lost: trigger?.http === undefined,
    })
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
