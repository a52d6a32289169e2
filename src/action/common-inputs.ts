/** Inputs that several actions share, so that they are named, described and checked alike everywhere. */
export const specInputs = {
  spec: {
    type: 'path',
    description: 'Path of a `platform.yaml`. Inputs win over it. Default: none.',
    example: 'platform.yaml',
  },
  profile: {
    type: 'string',
    description: 'Name of an overlay in `profiles` of the spec. Default: none.',
    example: 'nightly',
  },
} as const

export const clusterInputs = {
  kubeconfig: {
    type: 'path',
    description: 'Path of the kubeconfig. Default: `KUBECONFIG`, which `setup-cluster` sets.',
    example: '${{ steps.cluster.outputs.kubeconfig }}',
  },
  context: {
    type: 'string',
    description: 'Context in the kubeconfig. Default: its current one.',
    example: 'kind-demo',
    pattern: { regex: /^[^\s-][^\s]*$/, allowed: 'a name without spaces' },
  },
} as const

/** For actions that may have to download helm. */
export const helmInputs = {
  'download-base-url': {
    type: 'string',
    spec: 'cluster.downloadBaseUrl',
    description:
      "Replaces scheme and host of helm's download; its digest is checked all the same. Default: where the project publishes it.",
    example: 'https://mirror.example.com/releases',
    pattern: { regex: /^https?:\/\/[^\s]+$/, allowed: 'an http or https URL' },
  },
  'helm-version': {
    type: 'string',
    description:
      'Exact version of helm, with the digest of its archive if it is not the one that is pinned here, or `preinstalled` for what PATH has. Default: the pinned one.',
    example: 'preinstalled',
    pattern: {
      regex: /^(preinstalled|v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?)$/,
      allowed: 'an exact version, <version>@sha256:<64 hex digits>, or preinstalled',
    },
  },
} as const

export const cleanupInput = {
  type: 'choice',
  of: ['auto', 'always', 'on-success', 'never'],
  default: 'auto',
  description:
    'When the post step removes what this step made. `auto`: whatever the result, on providers that make throw-away clusters (kind). `on-success` keeps the cluster of a failed job.',
  example: 'on-success',
} as const

/** For READMEs of actions that name a command: an action's user has no command line yet. */
export const commandLineText =
  '`k8s-platform` is the command line of this repository: in a checkout of it `npm run --silent k8s-platform --` ([docs/cli.md](../docs/cli.md)).'

export const logsInput = {
  type: 'choice',
  of: ['on-failure', 'always', 'never'],
  default: 'on-failure',
  description: 'When the post step collects nodes, events, descriptions and logs into `logs-path`.',
  example: 'always',
} as const

export const artifactInput = {
  type: 'choice',
  of: ['on-failure', 'always', 'never'],
  default: 'on-failure',
  description:
    'When the post step uploads what lies under `logs-path` as an artifact of the run, `k8s-platform-<job>-<digest of the matrix leg, step and cluster>-<attempt>`. `always` also collects logs on success, unless `logs` is `never`. Uploading never fails the job.',
  example: 'never',
} as const

/** A list, as it is JSON of several lines. */
export const matrixInput = {
  type: 'list',
  separator: 'line',
  internal: true,
  default: '${{ toJSON(matrix) }}',
  description: 'Set by the runtime; makes the name of the artifact different for each leg of a matrix.',
  example: '{ "os": "ubuntu-24.04" }',
} as const

export const jobStatusInput = {
  type: 'string',
  internal: true,
  default: '${{ job.status }}',
  description: 'Set by the runtime; the post step learns from it how the job went.',
  example: 'success',
} as const

/** What an action that makes a cluster tells its post step (clean-up-cluster.ts). */
export const clusterState = {
  'cluster-name': 'Name of the cluster; set before anything is made.',
  cleanup: 'The input.',
  logs: 'The input.',
  artifact: 'The input.',
  'artifact-name': 'Name for the artifact.',
} as const

/** What such an action asks of its runner. */
export const clusterRequirements: readonly string[] = [
  'Linux on amd64 or arm64, such as `ubuntu-latest` or `ubuntu-24.04-arm`.',
  'A Docker engine that the job can reach. Kubernetes 1.35 and newer need cgroup v2.',
  'For four nodes: 2 processors, 4 GiB of memory, 10 GiB of disk.',
]
