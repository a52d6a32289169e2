import { gunzipSync } from 'node:zlib'
import type { Kubernetes } from '../kubernetes/client.ts'
import type { KubeObject, ListScope } from '../kubernetes/objects.ts'
import { NotReadyError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { parseKubernetesYaml } from './kubernetes-yaml.ts'

/** One revision of a release, as Helm keeps it in a Secret. */
export interface ReleaseRecord {
  readonly secret: string
  readonly revision: number
  readonly status: string
  readonly labels: Readonly<Record<string, string>>
  /** When Helm last wrote it; undefined when it does not say. */
  readonly modifiedAt: Date | undefined
  /** The objects of the release, namespace filled in. Decoded on demand. */
  readonly objects: () => KubeObject[]
}

const secretKind = { apiVersion: 'v1', kind: 'Secret' }
/** Without `--wait` Helm is done in seconds; a record still pending after this belongs to a run that was killed. */
const pendingMs = 60_000
const removalMs = 10_000

/** Every revision Helm remembers, newest first. */
export async function releaseRecords(
  kubernetes: Kubernetes,
  namespace: string,
  release: string,
): Promise<ReleaseRecord[]> {
  const secrets = await kubernetes.list(secretKind, scopeOf(namespace, release))
  return secrets.map((secret) => toRecord(secret, namespace)).sort((a, b) => b.revision - a.revision)
}

/**
 * Removes the record of an operation that never ended, which Helm would take for one still going on and refuse everything after. A record younger than a minute may
 * be another run's: it is waited for first. The objects themselves stay; the next upgrade takes them over.
 */
export async function clearDeadOperation(
  host: Pick<Host, 'clock' | 'log' | 'signal'>,
  kubernetes: Kubernetes,
  namespace: string,
  release: string,
  timeoutMs: number,
): Promise<ReleaseRecord[]> {
  const deadline = host.clock.monotonic() + timeoutMs
  for (;;) {
    const records = await releaseRecords(kubernetes, namespace, release)
    const pending = records.find((record) => record.status.startsWith('pending-'))
    if (pending === undefined || host.signal.aborted) return records
    const ageMs = host.clock.now().getTime() - (pending.modifiedAt?.getTime() ?? 0)
    const left = deadline - host.clock.monotonic()
    if (ageMs < pendingMs) {
      if (left <= 0) throw stillGoingOn(release, pending)
      await operationEnded(kubernetes, namespace, release, Math.min(left, pendingMs - ageMs))
      continue
    }
    host.log.notice(
      `release ${release}: revision ${pending.revision} was never finished (${pending.status}); its record is removed`,
    )
    await kubernetes.delete({ ...secretKind, namespace, name: pending.secret })
    // Accepted is not gone.
    await kubernetes.until(
      `removal of Secret ${namespace}/${pending.secret}`,
      secretKind,
      scopeOf(namespace, release),
      {
        timeoutMs: Math.ceil(Math.max(1, Math.min(left, removalMs))),
        done: (secrets) => secrets.every((secret) => secret.metadata.name !== pending.secret),
        explain: () => 'still there',
      },
    )
  }
}

function stillGoingOn(release: string, { revision, status }: ReleaseRecord): NotReadyError {
  return new NotReadyError(
    `another Helm operation on release ${release} is going on: revision ${revision} is ${status}`,
    {
      hint: 'Let one deployment of a release run at a time, for example by `concurrency` in the workflow.',
    },
  )
}

/** Resolves when no operation is going on any more, or when time is up. */
async function operationEnded(
  kubernetes: Kubernetes,
  namespace: string,
  release: string,
  timeoutMs: number,
): Promise<void> {
  const pending = (secrets: readonly KubeObject[]): KubeObject | undefined =>
    secrets.find((secret) => secret.metadata.labels?.['status']?.startsWith('pending-'))
  try {
    await kubernetes.until(`another Helm operation on ${release}`, secretKind, scopeOf(namespace, release), {
      timeoutMs: Math.ceil(timeoutMs),
      done: (secrets) => pending(secrets) === undefined,
      explain: (secrets) => pending(secrets)?.metadata.labels?.['status'] ?? 'none',
    })
  } catch (error) {
    if (!(error instanceof NotReadyError)) throw error
  }
}

function scopeOf(namespace: string, release: string): ListScope {
  return { namespace, labelSelector: `owner=helm,name=${release}` }
}

/** The objects of a rendered manifest. Those without a namespace get the release's, as Helm would. */
export function manifestObjects(manifest: string, namespace: string): KubeObject[] {
  return parseKubernetesYaml(manifest).flatMap(({ content, problem }) => {
    // Helm takes a key given twice; what only it can read is told rather than passed over.
    if (content === undefined) throw new Error(`manifest of the release, line ${problem?.line}: ${problem?.text}`)
    const object = content as KubeObject | null
    if (object === null) return []
    return [{ ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } }]
  })
}

function toRecord(secret: KubeObject, namespace: string): ReleaseRecord {
  const labels = secret.metadata.labels ?? {}
  const modified = Number(labels['modifiedAt'] ?? labels['createdAt'])
  return {
    secret: secret.metadata.name,
    revision: Number(labels['version']),
    status: labels['status'] ?? 'unknown',
    labels,
    modifiedAt: Number.isFinite(modified) ? new Date(modified * 1_000) : undefined,
    objects: () => manifestObjects(decode(secret['data'].release).manifest, namespace),
  }
}

/** base64 of the Secret, base64 of Helm, gzip, JSON. */
function decode(data: string): { readonly manifest: string } {
  const helms = Buffer.from(Buffer.from(data, 'base64').toString('ascii'), 'base64')
  return JSON.parse(gunzipSync(helms).toString('utf8')) as { manifest: string }
}
