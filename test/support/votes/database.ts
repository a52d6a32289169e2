import { findAppPod, query } from '../../../src/assert/voting-app-access.ts'
import { waitFor } from '../../../src/process/wait.ts'
import type { DrillCluster } from '../../e2e/cluster-fixture.ts'
import { app } from '../drill-steps.ts'
import type { BallotRow, VoteRow } from './journal.ts'

/** Rows of one answer: what psql prints passes through an exec stream, a part at a time. */
const pageRows = 5_000

/** All rows of voters whose names begin so. */
export async function storedVotes(cluster: DrillCluster, voters: string): Promise<VoteRow[]> {
  const rows = await pages(
    cluster,
    `select vote_id, voter_id, choice, sequence from votes where voter_id like :'voters' order by vote_id`,
    voters,
  )
  return rows.map(([voteId = '', voterId = '', choice = '', sequence = '']) => ({
    voteId,
    voterId,
    choice,
    sequence: Number(sequence),
  }))
}

export async function storedBallots(cluster: DrillCluster, voters: string): Promise<BallotRow[]> {
  const rows = await pages(
    cluster,
    `select voter_id, choice from ballots where voter_id like :'voters' order by voter_id`,
    voters,
  )
  return rows.map(([voterId = '', choice = '']) => ({ voterId, choice }))
}

async function pages(cluster: DrillCluster, sql: string, voters: string): Promise<string[][]> {
  const all: string[] = []
  for (;;) {
    const page = await query(
      { kubernetes: cluster.kubernetes, ...app },
      `${sql} limit ${pageRows} offset ${all.length}`,
      {
        voters: `${voters}-%`,
      },
    )
    all.push(...page)
    if (page.length < pageRows) return all.map((line) => line.split('|'))
  }
}

/** Resolves when Redis holds no vote any more: neither queued, nor taken by a worker, nor set aside as invalid by this run. */
export async function queueEmpty(cluster: DrillCluster, timeoutMs: number): Promise<void> {
  await waitFor(cluster.host, 'an empty queue', () => waitingVotes(cluster), {
    timeoutMs,
    intervalMs: 500,
    done: (left) => left.length === 0,
    explain: (left) => left.join(', '),
  })
}

/** `votes: 12`, `votes:processing:worker-1/ab: 3`: the lists that are not empty. */
async function waitingVotes({ kubernetes }: DrillCluster): Promise<string[]> {
  const pod = await findAppPod(kubernetes, app.namespace, 'redis')
  if (pod === undefined) throw new Error('no Redis pod is Ready')
  const redis = async (...command: string[]): Promise<string[]> => {
    const answer = await kubernetes.exec({
      ...app,
      pod: pod.metadata.name,
      command: ['redis-cli', '-e', ...command],
      timeoutMs: 15_000,
    })
    if (answer.status?.exitCode !== 0)
      throw new Error(`redis-cli ${command.join(' ')}: ${answer.stdout}${answer.stderr}`)
    return answer.stdout.split('\n').filter((line) => line !== '')
  }
  const taken = await redis('--scan', '--pattern', 'votes:processing:*')
  const lists = ['votes', 'votes:invalid', ...taken]
  const lengths = await Promise.all(lists.map(async (list) => `${list}: ${(await redis('llen', list))[0] ?? '?'}`))
  return lengths.filter((line) => !line.endsWith(': 0'))
}
