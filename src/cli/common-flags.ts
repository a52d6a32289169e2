import { providers } from '../cluster/provider.ts'
import { stages } from '../pipeline/stages.ts'
import { failOnText, suites, verdicts } from '../spec/schema.ts'
import type { Flag } from './arguments.ts'

type Flags = Readonly<Record<string, Flag>>

export const namePattern = (most: number): NonNullable<Flag['pattern']> => ({
  regex: new RegExp(`^[a-z0-9]([-a-z0-9]{0,${most - 2}}[a-z0-9])?$`),
  allowed: `lower-case letters, digits and inner hyphens, at most ${most}`,
})

export const spec: Flags = {
  spec: {
    type: 'string',
    value: 'FILE',
    example: 'platform.yaml',
    description: 'platform.yaml to follow. Default: ./platform.yaml where there is one.',
  },
  profile: { type: 'string', value: 'NAME', example: 'nightly', description: 'Named overlay of the spec.' },
}
export const clusterName: Flags = {
  'cluster-name': {
    type: 'string',
    value: 'NAME',
    example: 'demo',
    pattern: namePattern(50),
    spec: 'cluster.name',
    description: 'Name of the cluster. Default: k8s-platform.',
  },
}
export const context: Flag = {
  type: 'string',
  value: 'NAME',
  example: 'kind-demo',
  pattern: { regex: /^[^\s-][^\s]*$/, allowed: 'a name without spaces' },
  description: 'Context in that kubeconfig.',
}
/** For commands that work on any cluster. */
export const otherCluster = {
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    example: 'kubeconfig.yaml',
    description: 'Another cluster than ours.',
  },
  context,
} as const satisfies Record<string, Flag>
export const installDocker: Flag = {
  type: 'boolean',
  description: 'Install and start a Docker engine when there is none.',
}
export const verbose: Flags = {
  verbose: { type: 'boolean', description: 'Show every command with its duration.' },
}
export const cluster: Flags = {
  provider: {
    type: 'string',
    of: providers,
    spec: 'cluster.provider',
    description: 'Who makes the cluster. Default: kind.',
  },
  'kubernetes-version': {
    type: 'string',
    value: '1.36',
    spec: 'cluster.kubernetesVersion',
    description: 'Kubernetes version, minor or exact.',
  },
  'provider-version': {
    type: 'string',
    value: 'v0.33.0',
    spec: 'cluster.providerVersion',
    description: "Exact version of the provider's tool, or preinstalled.",
  },
  'control-planes': {
    type: 'integer',
    value: '1',
    spec: 'cluster.controlPlanes',
    description: 'Control-plane nodes. Default: 1.',
  },
  workers: { type: 'integer', value: '3', spec: 'cluster.workers', description: 'Worker nodes. Default: 3.' },
  config: {
    type: 'string',
    value: 'FILE',
    example: 'kind.yaml',
    spec: 'cluster.config',
    description: "The provider's own config file, merged with the rest.",
  },
  'image-source': {
    type: 'string',
    of: ['auto', 'registry', 'packages'],
    spec: 'cluster.imageSource',
    description: 'Where images come from. Default: auto.',
  },
  'registry-mirror': {
    type: 'string',
    value: 'URL',
    example: 'https://mirror.example.com',
    spec: 'cluster.registry.mirror',
    description: 'Pull-through mirror for host and nodes.',
  },
  timeout: {
    type: 'string',
    value: '10m',
    spec: 'cluster.timeout',
    description: 'Deadline of the cluster. Default: 10m.',
  },
}
export const assertions: Flags = {
  suites: {
    type: 'list',
    of: suites,
    value: 'dns,vote-flow',
    spec: 'assertions.suites',
    description: `Suites to run: ${suites.join(', ')}.`,
  },
  'fail-on': {
    type: 'list',
    of: verdicts,
    value: 'fail,inconclusive',
    spec: 'assertions.failOn',
    description: `Verdicts that fail the run; ${failOnText}`,
  },
  'allow-skip': {
    type: 'list',
    of: suites,
    value: 'dns',
    spec: 'assertions.allowSkip',
    description: 'Suites that may be skipped.',
  },
  'report-dir': {
    type: 'string',
    value: 'DIR',
    example: 'reports',
    description: 'Folder for JUnit, JSON and HTML reports.',
  },
}

export const through: Flag = { type: 'string', of: stages, description: 'Stop after this stage. Default: assert.' }
