import { randomUUID } from 'node:crypto'
import type { HttpAnswer, HttpRequest, ProbeResult } from '../probe/protocol.ts'
import { formatSeconds } from '../process/wait.ts'
import type { Evidence, Json } from '../report/record.ts'
import { type CheckContext, fail, type Outcome } from './check.ts'
import { converge } from './converge.ts'
import type { SuiteEnvironment } from './environment.ts'
import { describeDial } from './probe-batch.ts'
import { explainPipeline, query, type VotingAppRoute } from './voting-app-access.ts'

const postMs = 5_000
/** How long an accepted vote may take to be stored and shown. On a healthy system it is milliseconds. */
export const arriveMs = 10_000

type Choice = 'a' | 'b'

export interface Vote {
  readonly voteId: string
  readonly voterId: string
  readonly choice: Choice
}

export function newVote(environment: SuiteEnvironment, voter: string, choice: Choice): Vote {
  return { voteId: randomUUID(), voterId: `k8s-platform-check-${environment.nonce}-${voter}`, choice }
}

export function post(route: VotingAppRoute, vote: Vote): Omit<HttpRequest, 'id' | 'kind' | 'timeoutMs'> {
  return {
    url: new URL('/api/votes', route.vote).href,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(vote),
  }
}

export async function send(route: VotingAppRoute, vote: Vote): Promise<ProbeResult> {
  const [result] = await route.runner.run([{ kind: 'http', id: 'vote', timeoutMs: postMs, ...post(route, vote) }])
  return result ?? { id: 'vote', dial: 'error', elapsedMs: 0, detail: 'no result' }
}

export const isAccepted = (answer: HttpAnswer | undefined): boolean =>
  answer !== undefined && answer.status >= 200 && answer.status < 300

/** Why a vote was not taken; the vote service tells in its answer what is wrong with its queue. */
export function refusal(result: ProbeResult): string {
  if (result.http === undefined) return describeDial(result)
  const { status, body } = result.http
  const error = parse(result.http)['error'] as { readonly code?: unknown; readonly reason?: unknown } | null | undefined
  if (typeof error?.code !== 'string' || typeof error.reason !== 'string')
    return `${status} ${body.slice(0, 200).trim()}`
  return `${status} ${error.code}: ${queueTroubles[error.reason] ?? error.reason}`
}

/** Reasons the vote service gives (voting-app/vote/vote/vote_queue.py), as a person would say them. */
const queueTroubles: Readonly<Record<string, string>> = {
  full: 'Redis is full',
  read_only: 'Redis is read-only',
  unreachable: 'Redis cannot be reached',
  timeout: 'Redis does not answer in time',
  busy: 'Redis is busy',
}

export function parse(answer: HttpAnswer | undefined): { readonly [key: string]: Json } {
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
export async function arrival(
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

/** The vote was acknowledged and is not where it should be: what the pipeline says comes first. */
export async function notArrived(
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

/** Of one voter: rows kept, votes that count, and for what. */
export async function countsOf(
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
