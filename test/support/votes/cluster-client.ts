import { defaultProbeImage } from '../../../src/assert/probe-pods.ts'
import { restrictedContainer, restrictedPod } from '../../../src/kubernetes/restricted-pod.ts'
import type { DrillCluster } from '../../e2e/cluster-fixture.ts'
import { app, podKind, podThat } from '../drill-steps.ts'
import type { JournalEntry } from './journal.ts'

const name = 'vote-client'
const ref = { ...podKind, name, ...app }
const label = 'app=vote-client'

/** As many votes, and as many reads. */
export const clusterVotesPerSecond = 10

/** A client in the cluster: it votes and reads results by the Services' addresses until it is told to stop. */
export interface ClusterClient {
  /** Its votes, and what else it asked for: how often, and what failed. */
  readonly stop: () => Promise<{ journal: JournalEntry[]; reads: number; failures: string[] }>
  readonly remove: () => Promise<void>
}

/** Runs inside of the pod; each request on a connection of its own, so that each is routed anew. */
const script = (voters: string): string => `
const journal = [], failures = []; let reads = 0
const once = async (url, options) => {
  const response = await fetch(url, { ...options, headers: { connection: 'close', 'content-type': 'application/json' }, signal: AbortSignal.timeout(10_000) })
  return { status: response.status, body: await response.json() }
}
const vote = async () => {
  const entry = { voteId: crypto.randomUUID(), voterId: ${JSON.stringify(voters)} + '-' + journal.length, choice: 'a', answers: [] }
  journal.push(entry)
  try {
    const { status, body } = await once('http://vote-service:8080/api/votes', { method: 'POST', body: JSON.stringify({ voteId: entry.voteId, voterId: entry.voterId, choice: entry.choice }) })
    entry.answers.push({ status, sequence: body.sequence })
    if (status !== 201) failures.push('vote: status ' + status)
  } catch (error) { entry.answers.push({ status: null, error: String(error.cause ?? error) }); failures.push('vote: ' + String(error.cause ?? error)) }
}
const read = async () => {
  reads += 1
  try {
    const { status } = await once('http://result-service:8081/api/scores')
    if (status !== 200) failures.push('result: status ' + status)
  } catch (error) { failures.push('result: ' + String(error.cause ?? error)) }
}
const running = new Set()
const start = (task) => { const run = task().finally(() => running.delete(run)); running.add(run) }
const timer = setInterval(() => { start(vote); start(read) }, ${1_000 / clusterVotesPerSecond})
process.on('SIGTERM', async () => {
  clearInterval(timer)
  await Promise.all(running)
  process.stdout.write(JSON.stringify({ journal, reads, failures }) + '\\n', () => process.exit(0))
})
`

export async function startClusterClient(cluster: DrillCluster, voters: string): Promise<ClusterClient> {
  const { kubernetes } = cluster
  const remove = async (): Promise<void> => {
    await kubernetes.delete(ref)
    await kubernetes.until(
      'the client gone',
      podKind,
      { ...app, labelSelector: label },
      { timeoutMs: 60_000, done: (pods) => pods.length === 0, explain: (pods) => `${pods.length} left` },
    )
  }
  await kubernetes.create({
    ...podKind,
    metadata: { name, ...app, labels: { app: name } },
    spec: {
      securityContext: restrictedPod,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name,
          image: defaultProbeImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '-e', script(voters)],
          securityContext: restrictedContainer,
        },
      ],
    },
  })
  try {
    await podThat(cluster, 'the client running', label, (pod) => pod['status'].phase === 'Running')
  } catch (error) {
    await remove()
    throw error
  }
  return {
    remove,
    async stop() {
      const told = await kubernetes.exec({
        ...app,
        pod: name,
        command: ['node', '-e', 'process.kill(1, "SIGTERM")'],
        timeoutMs: 30_000,
      })
      if (told.status?.exitCode !== 0) throw new Error(`the client was not told to stop: ${told.stderr}`)
      await podThat(cluster, 'the client done', label, (pod) => ['Succeeded', 'Failed'].includes(pod['status'].phase))
      const log = await kubernetes.logs({ ...app, pod: name })
      return JSON.parse(log.trim().split('\n').at(-1) ?? '') as Awaited<ReturnType<ClusterClient['stop']>>
    },
  }
}
