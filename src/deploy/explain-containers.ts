import type { KubeObject } from '../kubernetes/objects.ts'
import type { Finding } from './finding.ts'
import { latestWarning } from './warning-events.ts'

type ContainerFinding = Pick<Finding, 'reason' | 'message' | 'permanent' | 'certain' | 'log'>

interface Terminated {
  readonly exitCode: number
  readonly signal?: number
  readonly reason?: string
  readonly message?: string
}

interface ContainerStatus {
  readonly name: string
  readonly image: string
  readonly ready?: boolean
  readonly started?: boolean
  readonly restartCount?: number
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly running?: object
    readonly terminated?: Terminated
  }
  readonly lastState?: { readonly terminated?: Terminated }
}

interface ContainerSpec {
  readonly name: string
  readonly image: string
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> }
}

const imageReasons = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
])
/** What a registry says when another try will be answered the same. Time-outs and refused connections are not among them. */
const finalPullErrors =
  /not found|manifest unknown|no match for platform|invalid reference format|unauthorized|denied|forbidden/i

/** What is wrong with the containers of a pod that is not ready, init containers first. */
export function containerFindings(pod: KubeObject, events: readonly KubeObject[]): ContainerFinding[] {
  const status = pod['status'] ?? {}
  const specs = [...(pod['spec']?.initContainers ?? []), ...(pod['spec']?.containers ?? [])] as ContainerSpec[]
  const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])] as ContainerStatus[]
  return statuses.flatMap((container) => {
    const spec = specs.find((entry) => entry.name === container.name)
    const found = explainContainer(pod, container, spec, events)
    return found === undefined ? [] : [found]
  })
}

function explainContainer(
  pod: KubeObject,
  container: ContainerStatus,
  spec: ContainerSpec | undefined,
  events: readonly KubeObject[],
): ContainerFinding | undefined {
  const log = (previous: boolean): NonNullable<Finding['log']> => ({
    namespace: pod.metadata.namespace ?? 'default',
    pod: pod.metadata.name,
    container: container.name,
    previous,
  })
  const { waiting, terminated, running } = container.state ?? {}
  const last = container.lastState?.terminated
  if (waiting?.reason !== undefined && imageReasons.has(waiting.reason)) {
    // The back-off's own message does not say why; the event of the failed pull does.
    const event = latestWarning(events, pod.metadata.uid, ['Failed', 'InspectFailed', 'ErrImageNeverPull'])
    const why = [waiting.message, event?.message].find(
      (text) => text !== undefined && !/^Back-off pulling image "[^"]*"$/.test(text),
    )
    // The status shows the image's resolved name once it is there; people look for the one they wrote.
    const message = `image ${spec?.image ?? container.image}: ${oneLine(why ?? waiting.message ?? 'cannot be pulled')}`
    const permanent = /^(InvalidImageName|ErrImageNeverPull)$/.test(waiting.reason) || finalPullErrors.test(message)
    return {
      reason: waiting.reason,
      message,
      permanent,
      ...(waiting.reason === 'InvalidImageName' ? { certain: true } : {}),
    }
  }
  if (waiting?.reason === 'CrashLoopBackOff') {
    const reason = last?.reason === 'OOMKilled' ? 'OOMKilled' : 'CrashLoopBackOff'
    const times = container.restartCount ?? 0
    const message = `container ${container.name} ${ending(last, spec)}, restarted ${times} time${times === 1 ? '' : 's'}`
    return { reason, message, permanent: false, log: log(true) }
  }
  if (waiting !== undefined && waiting.reason !== 'ContainerCreating' && waiting.reason !== 'PodInitializing') {
    const message = `container ${container.name}: ${oneLine(waiting.message ?? 'cannot be started')}`
    return { reason: waiting.reason ?? 'Waiting', message, permanent: false }
  }
  if (terminated !== undefined && terminated.exitCode !== 0) {
    const message = `container ${container.name} ${ending(terminated, spec)}`
    return { reason: terminated.reason ?? 'Error', message, permanent: false, log: log(false) }
  }
  if (running !== undefined && container.ready !== true) {
    const probe = latestWarning(events, pod.metadata.uid, ['Unhealthy'])
    const before = last === undefined ? '' : `; before that it ${ending(last, spec)}`
    if (probe === undefined && last === undefined) return undefined
    const message = `container ${container.name} runs and is not ready${before}${probe === undefined ? '' : `: ${oneLine(probe.message)}`}`
    return {
      reason: last?.reason === 'OOMKilled' ? 'OOMKilled' : 'Unhealthy',
      message,
      permanent: false,
      log: log(false),
    }
  }
  return undefined
}

/** `was killed for using more memory than its limit`, `exited with code 2` */
function ending(terminated: Terminated | undefined, spec: ContainerSpec | undefined): string {
  if (terminated === undefined) return 'ended'
  const limit = spec?.resources?.limits?.['memory']
  if (terminated.reason === 'OOMKilled')
    return `was killed for using more memory than its limit${limit === undefined ? '' : ` of ${limit}`}`
  // The runtime does not always learn whom the kernel has killed for memory.
  if (terminated.exitCode === 137 && limit !== undefined)
    return `was killed from outside (exit code 137), maybe for memory: its limit is ${limit}`
  const message = terminated.message === undefined ? '' : ` (${oneLine(terminated.message)})`
  return `exited with code ${terminated.exitCode}${message}`
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, '; ')
}
