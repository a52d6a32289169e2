/** Why a workload has not rolled out. */
export interface Finding {
  /** `Deployment voting-app/vote` */
  readonly workload: string
  /** Kubernetes' own word where it has one: `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`; else ours, such as `QuotaExceeded`. */
  readonly reason: string
  /** The evidence, in one line. */
  readonly message: string
  /** No later event is likely to mend it: an image that does not exist, a pod that admission refuses. */
  readonly permanent: boolean
  /** Nothing can mend it but another change: no second look is needed. */
  readonly certain?: boolean
  readonly pod?: string
  /** Where the log lines that matter are; `previous` where the container that wrote them is gone. */
  readonly log?: LogSource
}

export interface LogSource {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly previous: boolean
}

/** `Deployment voting-app/vote: pod vote-5d9c: ImagePullBackOff: image x: not found` */
export function renderFinding(finding: Finding): string {
  const pod = finding.pod === undefined ? '' : ` pod ${finding.pod}:`
  return `${finding.workload}:${pod} ${finding.reason}: ${finding.message}`
}

/** What the reader can do about it, or undefined where the message says it all. */
export function hintFor(finding: Finding): string | undefined {
  return hints[finding.reason]
}

const pullHint =
  'Check repository, tag and digest, that the image was pushed to a registry the nodes reach, and imagePullSecrets for a private one.'

const hints: Readonly<Record<string, string>> = {
  ErrImagePull: pullHint,
  ImagePullBackOff: pullHint,
  InvalidImageName: 'Write the image as repository:tag or repository@sha256:<digest>.',
  ErrImageNeverPull: 'imagePullPolicy Never needs the image on every node beforehand; use IfNotPresent.',
  CrashLoopBackOff: 'The program ends by itself: its last log lines below say why.',
  Error: 'The program ends by itself: its last log lines below say why.',
  OOMKilled: "Raise the container's memory limit, or find what uses the memory.",
  Unhealthy: 'The program runs and its probe fails: its last log lines below say why.',
  Unschedulable: 'No node has the room, the label or the volume asked for: add nodes, or lower requests.',
  QuotaExceeded: "Raise the namespace's ResourceQuota, or lower requests and replicas.",
  PodSecurityViolation: "Give the pod the securityContext the namespace's Pod Security level asks for.",
  AdmissionRefused: 'An admission webhook or policy refuses the pod; its message names the rule.',
  FailedMount: 'A volume of the pod cannot be mounted; the message names the ConfigMap, Secret or volume.',
  ProgressDeadlineExceeded: 'No new pod became ready within spec.progressDeadlineSeconds.',
  Paused: 'Resume it with `kubectl rollout resume`, or take spec.paused out of the manifest.',
  JobFailed: 'The Job has used up its tries (spec.backoffLimit) or its time (spec.activeDeadlineSeconds).',
  NoAddress: 'Something must hand out addresses to Services of type LoadBalancer, such as MetalLB or the cloud.',
  CreateContainerConfigError: 'A Secret or ConfigMap the container refers to is missing, or lacks the key.',
}
