import type { ProbeResult } from '../../probe/protocol.ts'
import { formatSeconds } from '../../process/wait.ts'
import type { Json } from '../../report/record.ts'
import { type CheckContext, fail, inconclusive, type Outcome, pass } from '../check.ts'
import { converge } from '../converge.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { readNamespace } from '../service-state.ts'
import { arrival, isAccepted, notArrived, parse, refusal, send, type Vote } from '../votes.ts'
import { findAppPod, query, StatementError, type VotingAppRoute } from '../voting-app-access.ts'

/** `; NetworkPolicy deny-all selects vote-7d9c`, where one does. Only to explain: what cannot be read is left out. */
async function explainIsolation({ kubernetes, namespace }: SuiteEnvironment): Promise<string> {
  try {
    const pod = await findAppPod(kubernetes, namespace, 'vote')
    const policy =
      pod === undefined ? undefined : (await readNamespace(kubernetes, namespace)).isolating(pod.metadata.name)
    return policy === undefined ? '' : `; NetworkPolicy ${policy} selects ${pod?.metadata.name}`
  } catch {
    return ''
  }
}

/** R4.accept: the way in answers that the vote is safe. */
export async function accept(
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
    // A packet that a policy drops and a pod that hangs look the same from outside.
    const isolated = seen.value.dial === 'timeout' ? await explainIsolation(environment) : ''
    return fail(`${seen.differences.join('; ')} (from ${route.runner.place})${isolated}`, {
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

/** R4.stored: the vote has become a row. */
export async function stored(context: CheckContext, environment: SuiteEnvironment, vote: Vote): Promise<Outcome> {
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

/**
 * R4.database: a statement that would write is planned and refused or not; it matches no row. A database that only reads is one finding here, not one for each hop after it. Before
 * the worker has made its tables there is nothing to write to, and the setting says the same.
 */
export async function databaseWrites(environment: SuiteEnvironment): Promise<Outcome> {
  const [readOnly, recovering] = (await query(environment, readOnlyState))[0]?.split('|') ?? []
  if (readOnly === undefined) return inconclusive('Postgres did not say whether it takes writes', { lost: true })
  const evidence = [
    {
      text: 'Votes wait in Redis until Postgres takes writes again.',
      command: `kubectl -n ${environment.namespace} logs -l app=postgres --tail=50`,
    },
  ]
  if (recovering === 't') return fail('Postgres is read-only: it is a standby, in recovery', { evidence })
  if (readOnly === 'on') {
    return fail('Postgres is read-only: default_transaction_read_only is on', { evidence })
  }
  try {
    await query(environment, 'update votes set choice = choice where false')
  } catch (error) {
    if (error instanceof StatementError) return fail(`Postgres refuses to write: ${error.message}`, { evidence })
    throw error
  }
  return pass('Postgres takes writes')
}

const readOnlyState = "select current_setting('transaction_read_only'), pg_is_in_recovery()"
