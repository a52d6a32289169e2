import { describe, expect, it } from 'vitest'
import { runChecks } from '../../../src/assert/engine.ts'
import { voteFlowChecks } from '../../../src/assert/suites/vote-flow.ts'
import type { ExecOptions, ExecResult } from '../../../src/kubernetes/client.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { HttpRequest, LiveAnswer, ProbeResult } from '../../../src/probe/protocol.ts'
import type { CheckRecord } from '../../../src/report/record.ts'
import { testHost } from '../../support/test-host.ts'
import { expectRed } from './expect-red.ts'
import { deployment, fakeFleet, fakeKubernetes, object, pod, service, suiteEnvironment } from './fake-kubernetes.ts'

interface Vote {
  readonly voteId: string
  readonly voterId: string
  readonly choice: 'a' | 'b'
}

/** A voting app in memory, with the faults a test asks for. */
interface Faults {
  readonly workerStopped?: boolean
  readonly refuse?: number
  /** How much the live result moves for one vote. */
  readonly step?: number
  /** Votes of others counted in the same step. */
  readonly others?: number
  readonly shows?: 'a' | 'b'
  readonly countsRepeats?: boolean
  /** Who votes again keeps the first choice. */
  readonly keepsFirst?: boolean
  readonly lateTables?: number
  readonly lostStream?: boolean
  readonly userInContainer?: boolean
  readonly database?: 'read-only' | 'standby' | 'refuses'
  /** A policy of this name selects the vote pods, and nothing answers. */
  readonly isolatedBy?: string
  /** Why the vote service says 503. */
  readonly queue?: string
}

function votingApp(faults: Faults) {
  const queue: Vote[] = []
  const rows: (Vote & { sequence: number })[] = []
  let sequence = 100

  const take = (vote: Vote): ProbeResult['http'] => {
    if (faults.refuse !== undefined)
      return {
        status: faults.refuse,
        body: JSON.stringify({ error: { code: 'queue_unavailable', reason: faults.queue } }),
        bodySha256: '',
      }
    const known = rows.some((row) => row.voteId === vote.voteId)
    sequence += 1
    if (faults.workerStopped === true) queue.push(vote)
    else if (!known || faults.countsRepeats === true) rows.push({ ...vote, sequence })
    return { status: known ? 200 : 201, body: JSON.stringify({ sequence }), bodySha256: '' }
  }
  const frame = (votes: { a: number; b: number }, at: number) => ({
    atMs: 5,
    frame: { type: 'scores', scores: votes, total: votes.a + votes.b, sequence: at },
  })
  const live = (vote: Vote): LiveAnswer => {
    const before = frame({ a: 3, b: 4 }, sequence)
    const http = take(vote)
    const trigger = { dial: 'connected' as const, ...(http === undefined ? {} : { http }) }
    if (faults.workerStopped === true || faults.refuse !== undefined) return { baseline: before, trigger, frames: [] }
    const step = (faults.step ?? 1) + (faults.others ?? 0)
    const shown = faults.shows ?? vote.choice
    const after = { a: 3 + (shown === 'a' ? step : 0), b: 4 + (shown === 'b' ? step : 0) }
    return { baseline: before, trigger, frames: [frame(after, sequence)] }
  }
  /** psql as it is called: parameters by -v, the statement by stdin. */
  const psql = (options: ExecOptions): string => {
    const value = (name: string): string =>
      options.command.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
    const sql = String(options.stdin)
    if (sql.includes('pg_is_in_recovery'))
      return `${faults.database === 'read-only' ? 'on' : 'off'}|${faults.database === 'standby' ? 't' : 'f'}\n`
    if (sql.startsWith('update')) return ''
    if (sql.includes('from votes where vote_id')) {
      return rows
        .filter((row) => row.voteId === value('id'))
        .map((row) => `${row.choice}|${row.voterId}\n`)
        .join('')
    }
    if (sql.includes('sequence >')) return `${1 + (faults.others ?? 0)}\n`
    const own = rows.filter((row) => row.voterId === value('voter'))
    const last = own.at(faults.keepsFirst === true ? 0 : -1)
    return `${own.length}|${last === undefined ? 0 : faults.countsRepeats === true ? own.length : 1}|${last?.choice ?? ''}\n`
  }
  let withoutTables = faults.lateTables ?? 0
  const exec = async (options: ExecOptions): Promise<ExecResult> => {
    if (String(options.stdin).includes('from votes') && withoutTables-- > 0) {
      const stderr =
        'psql:<stdin>:1: ERROR:  relation "votes" does not exist\nLINE 1: select choice from votes where vote_id = 1\n                           ^\n'
      return { stdout: '', stderr, status: { exitCode: 3 } }
    }
    if (faults.database === 'refuses' && String(options.stdin).startsWith('update')) {
      const stderr = 'psql:<stdin>:1: ERROR:  permission denied for table votes\n'
      return { stdout: '', stderr, status: { exitCode: 3 } }
    }
    if (faults.lostStream === true) return { stdout: '', stderr: '', status: null }
    const stdout = options.command[0] === 'psql' ? psql(options) : `${queue.length}\n`
    return { stdout, stderr: '', status: { exitCode: 0 } }
  }
  return { take, live, exec }
}

/** Its user comes from a Secret, so only its container knows it. */
const postgresOfSecret: KubeObject = {
  ...pod('postgres-0', { labels: { app: 'postgres' } }),
  spec: { containers: [{ name: 'postgres', env: [{ name: 'POSTGRES_USER', valueFrom: { secretKeyRef: {} } }] }] },
}

async function run(faults: Faults = {}): Promise<Record<string, CheckRecord>> {
  const app = votingApp(faults)
  const kubernetes = fakeKubernetes(
    [
      service('vote-service', { ports: [{ port: 8080, nodePort: 30080 }] }),
      service('result-service', { ports: [{ port: 8081, nodePort: 30081 }] }),
      deployment(
        'worker',
        { readyReplicas: faults.workerStopped === true ? 0 : 1 },
        { replicas: faults.workerStopped === true ? 0 : 1 },
      ),
      pod('vote-0', { labels: { app: 'vote' } }),
      ...(faults.isolatedBy === undefined
        ? []
        : [object('networking.k8s.io/v1', 'NetworkPolicy', faults.isolatedBy, { spec: { podSelector: {} } })]),
      faults.userInContainer === true ? postgresOfSecret : pod('postgres-0', { labels: { app: 'postgres' } }),
      pod('redis-0', { labels: { app: 'redis' } }),
    ].map((one) =>
      one.kind === 'Deployment' ? { ...one, metadata: { ...one.metadata, labels: { app: 'worker' } } } : one,
    ),
    { exec: app.exec },
  )
  const bodyOf = (request: Pick<HttpRequest, 'body'>): Vote => JSON.parse(request.body ?? '{}') as Vote
  const fleet = fakeFleet(['a'], (request) => {
    if (faults.isolatedBy !== undefined) return { dial: 'timeout' }
    if (request.kind === 'http') {
      const http = app.take(bodyOf(request))
      return { dial: 'connected', ...(http === undefined ? {} : { http }) }
    }
    if (request.kind === 'live') return { dial: 'connected', live: app.live(bodyOf(request.trigger)) }
    return { dial: 'connected' }
  })
  const environment = suiteEnvironment(kubernetes, { target: 'voting-app', fleet: async () => fleet })
  const records = await runChecks(testHost(), voteFlowChecks(environment), { timeoutMs: 60_000 })
  return Object.fromEntries(records.map((record) => [record.id, record]))
}

const verdicts = (records: Record<string, CheckRecord>): Record<string, string> =>
  Object.fromEntries(Object.values(records).map(({ id, verdict }) => [id, verdict]))

describe('R4', () => {
  it('follows a vote from answer to row to live result, once, and when it changes', async () => {
    const records = await run()
    expect(verdicts(records)).toEqual({
      'R4.accept': 'pass',
      'R4.database': 'pass',
      'R4.stored': 'pass',
      'R4.live': 'pass',
      'R4.once': 'pass',
      'R4.change': 'pass',
    })
    expect(records['R4.live']?.reason).toMatch(/^a 0, b \+1, total \+1/)
    expect(records['R4.accept']?.reason).toContain('http://10.96.0.7:8080')
  })

  it('a stopped worker turns exactly stored and live red, and says where the votes are', {
    timeout: 40_000,
  }, async () => {
    const records = await run({ workerStopped: true })
    expect(verdicts(records)).toEqual({
      'R4.accept': 'pass',
      'R4.database': 'pass',
      'R4.stored': 'fail',
      'R4.live': 'fail',
      'R4.once': 'skipped',
      'R4.change': 'skipped',
    })
    expect(records['R4.stored']?.reason).toMatch(/^queued: 1 vote waits in Redis, worker 0\/0 ready: no row/)
    expect(records['R4.live']?.reason).toMatch(/^queued: 2 votes wait in Redis, worker 0\/0 ready: no live result/)
  })

  it('a refused vote is red at the first hop only', async () => {
    const records = await run({ refuse: 503 })
    expect(records['R4.accept']?.reason).toContain('503 {"error":{"code":"queue_unavailable"}}')
    expect(verdicts(records)).toMatchObject({ 'R4.accept': 'fail', 'R4.stored': 'skipped', 'R4.live': 'skipped' })
  })

  it('sees a vote shown twice, for the wrong choice, or not at all', async () => {
    expect((await run({ step: 2 }))['R4.live']?.reason).toBe(
      'the live result moved by a 0, b +2, total +2 for one vote for b',
    )
    expect((await run({ shows: 'a' }))['R4.live']?.reason).toBe(
      'the live result moved by a +1, b 0, total +1 for one vote for b',
    )
    expect((await run({ step: 0 }))['R4.live']?.verdict).toBe('fail')
  })

  it('is not confused by others who vote at the same time', async () => {
    expect((await run({ others: 3 }))['R4.live']).toMatchObject({
      verdict: 'pass',
      reason: 'a 0, b +4, total +4 for 4 votes counted at the same time, ours among them',
    })
  })

  it('sees a repeat that is counted again', async () => {
    expectRed((await run({ countsRepeats: true }))['R4.once'], {
      turnsRed: 'R4.once',
      reason: /^sent twice, it is 2 rows and 2 counting votes$/,
    })
  })

  it('sees a change of mind that does not count', async () => {
    const records = await run({ keepsFirst: true })
    expectRed(records['R4.change'], {
      turnsRed: 'R4.change',
      reason: /^after voting ([ab]) the voter has 1 counting votes, for (?!\1)[ab]$/,
    })
    expect(Object.values(verdicts(records)).filter((verdict) => verdict !== 'pass')).toEqual(['fail'])
  })

  it.each([
    ['read-only', 'Postgres is read-only: default_transaction_read_only is on'],
    ['standby', 'Postgres is read-only: it is a standby, in recovery'],
    [
      'refuses',
      'Postgres refuses to write: psql in pod postgres-0 ended with 3: psql:<stdin>:1: ERROR:  permission denied for table votes',
    ],
  ] as const)('a database that takes no writes is one finding: %s', async (database, reason) => {
    const records = await run({ database })
    expect(records['R4.database']).toMatchObject({ verdict: 'fail', reason })
    expect(verdicts(records)).toEqual({
      'R4.accept': 'pass',
      'R4.database': 'fail',
      'R4.stored': 'skipped',
      'R4.live': 'skipped',
      'R4.once': 'skipped',
      'R4.change': 'skipped',
    })
  })

  it('names the policy that isolates the vote service when nothing answers', async () => {
    expect((await run({ isolatedBy: 'deny-all' }))['R4.accept']?.reason).toBe(
      'POST http://10.96.0.7:8080/api/votes: timeout after 0.0 s (from pod probe-0 on a); NetworkPolicy deny-all selects vote-0',
    )
  })

  it('tells what the vote service says of its queue', async () => {
    expect((await run({ refuse: 503, queue: 'full' }))['R4.accept']?.reason).toContain(
      '503 queue_unavailable: Redis is full',
    )
  })

  it('waits for the tables that the worker makes when it starts', async () => {
    expect((await run({ lateTables: 1 }))['R4.stored']).toMatchObject({ verdict: 'pass' })
  })

  it('is inconclusive when the exec stream is lost', async () => {
    expect((await run({ lostStream: true }))['R4.database']).toMatchObject({
      verdict: 'inconclusive',
      reason: 'psql in pod postgres-0: the exec stream ended without a verdict',
      lost: true,
    })
    // Who to ask Postgres as stands in its container.
    expect((await run({ lostStream: true, userInContainer: true }))['R4.database']).toMatchObject({
      verdict: 'inconclusive',
      reason: 'printenv in pod postgres-0: the exec stream ended without a verdict',
      lost: true,
    })
  })

  it('is skipped for an app that takes no votes', async () => {
    const [record] = await runChecks(testHost(), voteFlowChecks(suiteEnvironment(fakeKubernetes([]))), {
      timeoutMs: 5_000,
    })
    expect(record).toMatchObject({ verdict: 'skipped', reason: 'the target is generic, which takes no votes' })
  })
})
