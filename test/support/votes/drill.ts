import { randomInt } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { exposureOf, urlResolver } from '../../../src/deploy/node-port-urls.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import type { DrillCluster } from '../../e2e/cluster-fixture.ts'
import { app, deploymentKind, podKind, rolledOut } from '../drill-steps.ts'
import { faultResultsFile } from '../fault-results.ts'
import { type Finding, type Mend, mended, proveFault } from '../prove-fault.ts'
import { sendVotes } from './client.ts'
import { clusterVotesPerSecond, startClusterClient } from './cluster-client.ts'
import { queueEmpty, storedBallots, storedVotes } from './database.ts'
import { type KillDrill, killRow, leastAcknowledged, type RolloutDrill, rolloutRow } from './drill-table.ts'
import { type Comparison, compareJournal, type JournalEntry } from './journal.ts'
import { killAll, planKills, renderPlan } from './kills.ts'
import { type OpenPage, openResultPage } from './result-page.ts'

const drainMs = 180_000
const pageMs = 30_000
/** A rollout that voters do not meet for this long shows nothing. */
const leastSeconds = 5

/** The seed that K8S_PLATFORM_VOTES_SEED names, to repeat a run, else a new one. */
function seedOf(): number {
  const given = process.env['K8S_PLATFORM_VOTES_SEED']
  return given === undefined ? randomInt(2 ** 31) : Number(given)
}

/** Kills while votes come in, and holds what the client was told against the database. The result page is open all the time. */
export function runKillDrill(cluster: DrillCluster, drill: KillDrill): Promise<void> {
  const row = killRow(drill)
  return mended(row, (mend) => proveFault(row, () => votesUnderKills(cluster, drill, mend)))
}

async function votesUnderKills(cluster: DrillCluster, drill: KillDrill, mend: Mend): Promise<Finding> {
  const seed = seedOf()
  const voters = `kills${seed}`
  // Nothing is killed in the last third: the votes after a kill are as telling as those during it.
  const plan = planKills(seed, drill.kills, drill.times, ((drill.votes / drill.perSecond) * 1_000 * 2) / 3)
  process.stdout.write(`${renderPlan(seed, plan)}\n`)
  const { vote, result } = await addresses(cluster)
  const before = await total(result)
  const page = await openResultPage(result)
  mend(() => page.close())
  await page.shows(before, pageMs)
  const stop = new AbortController()
  const { votes, perSecond } = drill
  const sending = sendVotes({ url: vote, votes, perSecond, seed, voters, stop: stop.signal })
  const killing = killAll(cluster, plan, stop.signal)
  // Whichever fails: nobody votes or is killed in the test after this one.
  mend(async () => {
    stop.abort()
    await Promise.allSettled([sending, killing])
  })
  const [journal] = await Promise.all([sending, killing])
  const found = await compared(cluster, journal, voters)
  const counted = new Set((await storedVotes(cluster, voters)).map((row) => row.voterId)).size
  const shown = await shownBy(page, before + counted)
  const [loads, losses] = [page.loads(), await page.losses()]
  process.stdout.write(`${summary(journal, found)}; page: ${losses} lost connections\n`)
  listDoubts(voters, found)
  return {
    seen: `${summary(journal, found)}; ${shown} after ${losses} lost connections and ${loads} load; ${renderPlan(seed, plan)}`,
    wrong: [
      ...found.wrong,
      ...(shown === pageShows ? [] : [shown]),
      ...(loads === 1 ? [] : [`the result page was loaded ${loads} times`]),
      ...(losses > 0 ? [] : ['the result page lost no connection: nothing was shown of its recovery']),
      // A run in which little was acknowledged would show little: kills are moments of it, not most of it.
      ...enough(found.acknowledged, votes * leastAcknowledged, 'votes were acknowledged'),
    ],
  }
}

/** Replaces vote and result under load, from the host by NodePort and from a pod by the Services: not one request may fail. */
export function runRolloutDrill(cluster: DrillCluster, drill: RolloutDrill): Promise<void> {
  const row = rolloutRow(drill)
  return mended(row, (mend) => proveFault(row, () => votesUnderRollout(cluster, drill, mend)))
}

async function votesUnderRollout(cluster: DrillCluster, { perSecond }: RolloutDrill, mend: Mend): Promise<Finding> {
  const seed = seedOf()
  const voters = `rollout${seed}`
  const { vote, result } = await addresses(cluster)
  const before = await total(result)
  const page = await openResultPage(result)
  mend(() => page.close())
  const client = await startClusterClient(cluster, `${voters}-pod`)
  mend(() => client.remove())
  const stop = new AbortController()
  const reading = readScores(result, perSecond, stop.signal)
  const votes = Number.POSITIVE_INFINITY
  const sending = sendVotes({ url: vote, votes, perSecond, seed, voters, stop: stop.signal })
  const restarts = ['vote', 'result'].map((name) => restart(cluster, name))
  mend(async () => {
    stop.abort()
    await Promise.allSettled([sending, reading, ...restarts])
  })
  await Promise.all(restarts)
  stop.abort()
  const [journal, read, inside] = await Promise.all([sending, reading, client.stop()])
  const failures = [
    ...journal.flatMap(({ answers }) =>
      answers.filter(({ status }) => status !== 201).map(({ status, error }) => `vote: ${status} ${error}`),
    ),
    ...read.failures,
    ...inside.failures.map((failure) => `from a pod: ${failure}`),
  ]
  const requests = journal.length + read.requests + inside.journal.length + inside.reads
  const all = [...journal, ...inside.journal]
  const found = await compared(cluster, all, voters)
  const shown = await shownBy(page, before + new Set(all.map((entry) => entry.voterId)).size)
  const told = `${failures.length} of ${requests} requests failed; ${summary(all, found)}`
  process.stdout.write(`${told}\n`)
  listDoubts(voters, found)
  return {
    seen: `${told}; ${shown}`,
    wrong: [
      ...failures,
      ...found.wrong,
      ...(shown === pageShows ? [] : [shown]),
      ...(page.loads() === 1 ? [] : [`the result page was loaded ${page.loads()} times`]),
      ...enough(journal.length, perSecond * leastSeconds, 'votes came from the host'),
      ...enough(inside.journal.length, clusterVotesPerSecond * leastSeconds, 'votes came from the pod'),
    ],
  }
}

function enough(count: number, least: number, what: string): string[] {
  return count >= least ? [] : [`only ${count} ${what}, fewer than ${least}`]
}

const pageShows = 'the page shows the total'

function shownBy(page: OpenPage, wanted: number): Promise<string> {
  return page.shows(wanted, pageMs).then(
    () => pageShows,
    (error: Error) => error.message,
  )
}

/** Each vote in doubt with what became of it, beside the other reports of a run. */
function listDoubts(voters: string, { inDoubt }: Comparison): void {
  mkdirSync(path.dirname(faultResultsFile), { recursive: true })
  const file = path.join(path.dirname(faultResultsFile), `votes-in-doubt-${voters}.json`)
  writeFileSync(file, `${JSON.stringify(inDoubt, null, 2)}\n`)
}

async function compared(cluster: DrillCluster, journal: readonly JournalEntry[], voters: string): Promise<Comparison> {
  await queueEmpty(cluster, drainMs)
  const [votes, ballots] = await Promise.all([storedVotes(cluster, voters), storedBallots(cluster, voters)])
  return compareJournal(journal, votes, ballots)
}

function summary(journal: readonly JournalEntry[], found: Comparison): string {
  const { stored, notStored } = found.inDoubt
  const tries = journal.reduce((sum, entry) => sum + entry.answers.length, 0)
  return `${journal.length} votes in ${tries} tries, ${found.acknowledged} acknowledged, ${stored.length + notStored.length} in doubt (${stored.length} stored, ${notStored.length} not), ${found.changes} changes of mind, ${found.wrong.length} wrong`
}

async function addresses({ kubernetes }: DrillCluster): Promise<{ vote: string; result: string }> {
  const urlOf = await urlResolver(kubernetes)
  const [vote, result] = await Promise.all(
    ['vote-service', 'result-service'].map(async (name) => {
      const exposure = await exposureOf(kubernetes, app.namespace, name)
      return exposure === undefined ? undefined : urlOf(exposure)
    }),
  )
  if (vote === undefined || result === undefined) throw new Error('the voting app has no NodePorts')
  return { vote, result }
}

async function total(result: string): Promise<number> {
  const response = await fetch(`${result}/api/scores`, { signal: AbortSignal.timeout(10_000) })
  return ((await response.json()) as { total: number }).total
}

/** As `kubectl rollout restart`; resolves when the new pods stand alone and the old ones are gone. */
async function restart(cluster: DrillCluster, name: string): Promise<void> {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() }
  await cluster.kubernetes.patch(
    { ...deploymentKind, name, ...app },
    { spec: { template: { metadata: { annotations } } } },
  )
  await rolledOut(cluster, name, app.namespace)
  const leaving = (pods: readonly KubeObject[]): string[] =>
    pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined).map((pod) => pod.metadata.name)
  // The last requests are the ones that a pod may drop as it goes.
  await cluster.kubernetes.until(
    `the old pods of ${name} gone`,
    podKind,
    { ...app, labelSelector: `app=${name}` },
    { timeoutMs: 90_000, done: (pods) => leaving(pods).length === 0, explain: (pods) => leaving(pods).join(', ') },
  )
}

async function readScores(
  url: string,
  perSecond: number,
  signal: AbortSignal,
): Promise<{ requests: number; failures: string[] }> {
  const running: Promise<void>[] = []
  const failures: string[] = []
  const read = async (): Promise<void> => {
    try {
      const response = await fetch(`${url}/api/scores`, { signal: AbortSignal.timeout(10_000) })
      await response.json()
      if (response.status !== 200) failures.push(`result: status ${response.status}`)
    } catch (error) {
      failures.push(`result: ${String((error as Error).cause ?? error)}`)
    }
  }
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => running.push(read()), 1_000 / perSecond)
    signal.addEventListener('abort', () => {
      clearInterval(timer)
      resolve()
    })
  })
  await Promise.all(running)
  return { requests: running.length, failures }
}
