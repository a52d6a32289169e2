import { randomBytes } from 'node:crypto'
import type { Kubernetes } from '../kubernetes/client.ts'
import { CancelledError, messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { pause } from '../process/wait.ts'
import { describeOwner, removeFleet, sweepDeadRuns } from './probe-cleanup.ts'
import { defaultProbeImage, type Fleet, startFleet } from './probe-pods.ts'
import { loadProbeScript } from './probe-script.ts'

export interface ProbeSessionOptions {
  readonly kubernetes: Kubernetes
  /** Still works once the run is cancelled. */
  readonly cleanup: Kubernetes
  /** The pods end by themselves after this, milliseconds, also when nobody removes them. */
  readonly lifeMs: number
  /** An existing namespace; undefined makes one. */
  readonly namespace: string | undefined
  readonly image: string | undefined
  /** How long the pods may take to start, milliseconds. */
  readonly startMs: number
}

/** The probe pods of one run, from the first that asks for them to their removal. */
export interface ProbeSession {
  /** Label `k8s-platform.run` on everything of the run. */
  readonly nonce: string
  /** Starts the pods the first time. */
  fleet(): Promise<Fleet>
  /** Starts them when `ready` resolves, while no check asks for them yet. Rejects where that fails, or the run ends before. */
  prepare(ready: Promise<unknown>): Promise<Fleet>
  /** Removes them, where there are any; not twice. */
  end(): Promise<void>
}

const settleMs = 1_000

/** Also removes, beside everything else, what killed runs left. */
export function startProbeSession(host: Host, options: ProbeSessionOptions): ProbeSession {
  const { cleanup } = options
  let sent = false
  const kubernetes: Kubernetes = {
    ...options.kubernetes,
    apply(...object) {
      sent = true
      return options.kubernetes.apply(...object)
    },
  }
  const nonce = randomBytes(5).toString('hex')
  const place = {
    nonce,
    namespace: options.namespace ?? `k8s-platform-probe-${nonce}`,
    ownNamespace: options.namespace === undefined,
  }
  const startedAt = host.clock.now()
  const swept = sweep(host, cleanup, place, startedAt)
  let fleet: Promise<Fleet> | undefined
  let end: Promise<unknown> | undefined
  const over = new AbortController()
  const start = async (): Promise<Fleet> =>
    startFleet(host, {
      kubernetes,
      timeoutMs: options.startMs,
      end: over.signal,
      setup: {
        ...place,
        image: options.image ?? defaultProbeImage,
        script: await loadProbeScript(host.paths.assets),
        expiresAt: new Date(startedAt.getTime() + options.lifeMs),
        activeSeconds: Math.ceil(options.lifeMs / 1000),
        owner: await describeOwner(process.pid),
      },
    })
  const session: ProbeSession = {
    nonce,
    fleet() {
      fleet ??= start()
      return fleet
    },
    async prepare(ready) {
      await ready
      if (end !== undefined) throw new CancelledError('the run ended before its probe pods were started')
      return await host.timings.phase('probe pods', () => session.fleet())
    },
    async end() {
      over.abort()
      end ??= Promise.all([swept, fleet === undefined ? undefined : remove(host, cleanup, fleet, place, () => sent)])
      await end
    },
  }
  return session
}

type Place = Parameters<typeof removeFleet>[1]

/** That it may not look there says nothing about the cluster. */
async function sweep(host: Host, kubernetes: Kubernetes, place: Place, startedAt: Date): Promise<void> {
  try {
    const removed = await sweepDeadRuns(kubernetes, place, startedAt)
    if (removed.length > 0) host.log.notice(`removed what an earlier run left behind: ${removed.join(', ')}`)
  } catch (error) {
    host.log.debug(`not looked for what earlier runs left behind: ${messageOf(error)}`)
  }
}

async function remove(
  host: Host,
  kubernetes: Kubernetes,
  fleet: Promise<Fleet>,
  place: Place,
  isSent: () => boolean,
): Promise<void> {
  try {
    // When the run was cut short, they may still be on their way. After a cancellation the runner leaves us only seconds.
    await Promise.race([fleet.catch(() => {}), pause(settleMs, new AbortController().signal)])
    await removeFleet(kubernetes, place)
  } catch (error) {
    // Of a server that was never sent an object, nobody needs to be told that it may have kept one.
    const tell = isSent() ? host.log.warning : host.log.debug
    tell(`the probe pods in namespace ${place.namespace} may be left behind: ${messageOf(error)}`)
  }
}
