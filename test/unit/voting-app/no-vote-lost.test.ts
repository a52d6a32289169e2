import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { DrillCluster } from '../../e2e/cluster-fixture.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { sendVotes } from '../../support/votes/client.ts'
import { type BallotRow, compareJournal, type JournalEntry, type VoteRow } from '../../support/votes/journal.ts'
import { killAll, planKills } from '../../support/votes/kills.ts'

/** Where it is acknowledged, with its id as its number. */
const entry = (voteId: string, voterId: string, choice: 'a' | 'b', status: number | null = 201): JournalEntry => ({
  voteId,
  voterId,
  choice,
  answers: [status === 201 ? { status, sequence: Number(voteId) } : { status }],
})
const row = (voteId: string, voterId: string, choice: string, sequence: number): VoteRow => ({
  voteId,
  voterId,
  choice,
  sequence,
})

const journal = [
  entry('1', 'x', 'a'),
  entry('2', 'y', 'b'),
  entry('3', 'x', 'b'),
  entry('4', 'z', 'a', null),
  entry('5', 'w', 'a', 503),
]
const votes = [row('1', 'x', 'a', 1), row('2', 'y', 'b', 2), row('3', 'x', 'b', 3), row('4', 'z', 'a', 4)]
const ballots: BallotRow[] = [
  { voterId: 'x', choice: 'b' },
  { voterId: 'y', choice: 'b' },
  { voterId: 'z', choice: 'a' },
]

describe('journal against database', () => {
  test('agree where everything acknowledged is there, a change of mind counts once and doubts are resolved', () => {
    expect(compareJournal(journal, votes, ballots)).toEqual({
      acknowledged: 3,
      inDoubt: { stored: ['4'], notStored: ['5'] },
      changes: 1,
      wrong: [],
    })
  })

  test.each([
    ['an acknowledged vote that is lost', journal, votes.slice(1), ballots, 'vote 1 was acknowledged and is lost'],
    ['a vote stored twice', journal, [...votes, row('2', 'y', 'b', 9)], ballots, 'vote 2 is stored twice'],
    [
      'a vote stored as another one',
      journal,
      [row('1', 'x', 'b', 1), ...votes.slice(1)],
      ballots,
      'vote 1 is stored as another one',
    ],
    [
      'a vote stored under another number than was acknowledged',
      journal,
      [row('1', 'x', 'a', 7), ...votes.slice(1)],
      ballots,
      'vote 1 was acknowledged as number 1 and is stored as 7',
    ],
    ['a vote nobody sent', journal, [...votes, row('9', 'y', 'b', 1)], ballots, 'vote 9 is stored and nobody sent it'],
    [
      'a refused vote that is stored',
      [...journal, entry('6', 'z', 'a', 400)],
      [...votes, row('6', 'z', 'a', 3)],
      ballots,
      'vote 6 was refused and is stored',
    ],
    ['a voter who counts twice', journal, votes, [...ballots, { voterId: 'y', choice: 'a' }], 'voter y counts twice'],
    ['a voter who does not count', journal, votes, ballots.slice(1), 'voter x does not count'],
    [
      'a ballot without a vote',
      journal,
      votes,
      [...ballots, { voterId: 'v', choice: 'a' }],
      'voter v counts without a vote',
    ],
    [
      'a ballot of an earlier mind',
      journal,
      votes,
      [{ voterId: 'x', choice: 'a' }, ...ballots.slice(1)],
      'voter x counts as a, and chose b last',
    ],
  ] as const)('finds %s', (_what, entries, rows, counted, found) => {
    expect(compareJournal(entries, rows, counted).wrong).toContain(found)
  })
})

describe('the open-loop client', () => {
  const servers: ReturnType<typeof createServer>[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  /** A service that stores a vote and forgets every `lossEvery`-th, hangs up on every `hangUpEvery`-th before or after storing it. */
  async function service(
    lossEvery: number,
    hangUpEvery: number,
  ): Promise<{ url: string; stored: VoteRow[]; seen: () => number }> {
    const stored: VoteRow[] = []
    let seen = 0
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        seen += 1
        const vote = JSON.parse(body) as { voteId: string; voterId: string; choice: string }
        // As the real one: a repeat is told the number of the first.
        const sequence = stored.find(({ voteId }) => voteId === vote.voteId)?.sequence ?? seen
        const store = (): void => {
          if (seen % lossEvery !== 0 && !stored.some(({ voteId }) => voteId === vote.voteId))
            stored.push({ ...vote, sequence })
        }
        if (seen % hangUpEvery === 0) {
          if (seen % 2 === 0) store()
          request.socket.destroy()
          return
        }
        store()
        response.writeHead(201, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ voteId: vote.voteId, sequence }))
      })
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stored, seen: () => seen }
  }

  const ballotsOf = (rows: readonly VoteRow[]): BallotRow[] => {
    const last = new Map<string, VoteRow>()
    for (const one of rows) if (one.sequence > (last.get(one.voterId)?.sequence ?? 0)) last.set(one.voterId, one)
    return [...last.values()].map(({ voterId, choice }) => ({ voterId, choice }))
  }

  test('sends every vote, repeats half of the unanswered ones under their id, and finds nothing wrong with an honest service', async () => {
    const { url, stored, seen } = await service(Number.POSITIVE_INFINITY, 10)
    const sent = await sendVotes({ url, votes: 200, perSecond: 1_000, seed: 7, voters: 'v' })
    const found = compareJournal(sent, stored, ballotsOf(stored))
    expect(sent).toHaveLength(200)
    expect(found.wrong).toEqual([])
    expect(found.changes).toBeGreaterThan(0)
    expect(found.inDoubt.stored.length + found.inDoubt.notStored.length + found.acknowledged).toBe(200)
    expect(found.inDoubt.notStored.length + found.inDoubt.stored.length).toBeGreaterThan(0)
    expect(seen()).toBeGreaterThan(200)
  })

  test('a service that loses one acknowledged vote in fifty is found out', async () => {
    const { url, stored } = await service(50, Number.POSITIVE_INFINITY)
    const sent = await sendVotes({ url, votes: 200, perSecond: 1_000, seed: 7, voters: 'v' })
    expect(compareJournal(sent, stored, ballotsOf(stored)).wrong).toHaveLength(4)
  })

  test('ends when it is told to, with no vote sent again', async () => {
    const { url, seen } = await service(Number.POSITIVE_INFINITY, 1)
    const stop = new AbortController()
    const onAnswer = (): void => stop.abort()
    const votes = Number.POSITIVE_INFINITY
    const sent = await sendVotes({ url, votes, perSecond: 1_000, seed: 7, voters: 'v', onAnswer, stop: stop.signal })
    expect(sent.every(({ answers }) => answers.length === 1)).toBe(true)
    expect(seen()).toBe(sent.length)
  })

  test('a seed gives the same votes and the same kills', async () => {
    const { url } = await service(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
    const once = await sendVotes({ url, votes: 20, perSecond: 1_000, seed: 3, voters: 'v' })
    const again = await sendVotes({ url, votes: 20, perSecond: 1_000, seed: 3, voters: 'v' })
    expect(again.map(({ voteId, choice }) => [voteId, choice])).toEqual(
      once.map(({ voteId, choice }) => [voteId, choice]),
    )
    expect(planKills(3, ['Redis', 'node'], 2, 1_000)).toEqual(planKills(3, ['Redis', 'node'], 2, 1_000))
    expect(planKills(4, ['Redis', 'node'], 2, 1_000)).not.toEqual(planKills(3, ['Redis', 'node'], 2, 1_000))
  })
})

describe('kills', () => {
  /** Pods whose containers start again at the next look after they were killed, one on each of two workers. */
  function smallCluster(): { cluster: DrillCluster; exec: ReturnType<typeof scriptedExec> } {
    const pod = (app: string, node: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${app}-0`, namespace: 'voting-app', uid: app, labels: { app } },
      spec: { nodeName: node },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [{ containerID: `containerd://${app}`, restartCount: 0 }],
      },
    })
    const pods = [pod('redis', 'k-worker'), pod('postgres', 'k-worker2'), pod('worker', 'k-control-plane')]
    const restart = (hit: (one: (typeof pods)[number]) => boolean): string => {
      for (const one of pods.filter(hit)) for (const status of one.status.containerStatuses) status.restartCount += 1
      return ''
    }
    const exec = scriptedExec([
      [
        /^docker exec \S+ ctr --namespace k8s\.io task kill --signal SIGKILL \w+$/,
        (line) => restart((one) => line.endsWith(` ${one.metadata.uid}`)),
      ],
      [/^docker kill /, ''],
      [/^docker start /, (line) => restart((one) => line.endsWith(` ${one.spec.nodeName}`))],
    ])
    const objects: Record<string, readonly object[]> = {
      Pod: pods,
      Node: ['k-worker', 'k-worker2'].map((name) => ({
        metadata: { name },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      })),
      DaemonSet: [],
    }
    const matching = (kind: string, selector = ''): KubeObject[] =>
      (objects[kind] ?? []).filter(
        (one) => kind !== 'Pod' || selector.includes((one as KubeObject).metadata.labels?.['app'] ?? '-'),
      ) as KubeObject[]
    const kubernetes = {
      list: async ({ kind }: { kind: string }, scope: { labelSelector?: string }) =>
        structuredClone(matching(kind, scope.labelSelector)),
      async until(
        what: string,
        { kind }: { kind: string },
        scope: { labelSelector?: string },
        { done }: { done: (all: KubeObject[]) => boolean },
      ) {
        const found = structuredClone(matching(kind, scope.labelSelector))
        if (!done(found)) throw new Error(`never: ${what}`)
        return found
      },
    }
    return { exec, cluster: { kubernetes, host: { exec } } as unknown as DrillCluster }
  }

  test('end a container by its id on its node, and a worker with state in one go', async () => {
    const { cluster, exec } = smallCluster()
    await killAll(cluster, [
      { what: 'Redis', atMs: 0, pick: 0 },
      { what: 'node', atMs: 1, pick: 0.9 },
      { what: 'Postgres', atMs: 2, pick: 0 },
    ])
    expect(exec.calls).toEqual([
      'docker exec k-worker ctr --namespace k8s.io task kill --signal SIGKILL redis',
      'docker kill k-worker2',
      'docker start k-worker2',
      'docker exec k-worker2 ctr --namespace k8s.io task kill --signal SIGKILL postgres',
    ])
  })

  test('that fail are the last, and none begins once they are told to stop', async () => {
    const { cluster } = smallCluster()
    const exec = scriptedExec([[/./, '']])
    const broken = { ...cluster, host: { exec } } as unknown as DrillCluster
    const later = { what: 'Redis', atMs: 3_600_000, pick: 0 } as const
    // Settles now, not in an hour.
    await expect(killAll(broken, [{ what: 'worker', atMs: 0, pick: 0 }, later])).rejects.toThrow('never: app=worker')
    expect(exec.calls.filter((call) => call.includes('redis'))).toEqual([])
    await killAll(broken, [later], AbortSignal.abort())
    expect(exec.calls).toHaveLength(1)
  })

  test('fail where what was killed does not come back', async () => {
    const { cluster } = smallCluster()
    const broken = { ...cluster, host: { exec: scriptedExec([[/./, '']]) } } as unknown as DrillCluster
    await expect(killAll(broken, [{ what: 'worker', atMs: 0, pick: 0 }])).rejects.toThrow(
      'never: app=worker back after a kill',
    )
    await expect(killAll(broken, [{ what: 'node', atMs: 0, pick: 0 }])).rejects.toThrow(
      'never: the pods of k-worker back',
    )
  })
})
