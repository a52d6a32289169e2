import { providers } from '../cluster/provider.ts'
import { stages } from '../pipeline/stages.ts'
import { suites, verdicts } from '../spec/schema.ts'
import type { Command, Flag } from './arguments.ts'

const namePattern = (most: number): NonNullable<Flag['pattern']> => ({
  regex: new RegExp(`^[a-z0-9]([-a-z0-9]{0,${most - 2}}[a-z0-9])?$`),
  allowed: `lower-case letters, digits and inner hyphens, at most ${most}`,
})

const spec: Readonly<Record<string, Flag>> = {
  spec: {
    type: 'string',
    value: 'FILE',
    example: 'platform.yaml',
    description: 'platform.yaml to follow. Default: ./platform.yaml where there is one.',
  },
  profile: { type: 'string', value: 'NAME', example: 'nightly', description: 'Named overlay of the spec.' },
}
const clusterName: Readonly<Record<string, Flag>> = {
  'cluster-name': {
    type: 'string',
    value: 'NAME',
    example: 'demo',
    pattern: namePattern(50),
    spec: 'cluster.name',
    description: 'Name of the cluster. Default: k8s-platform.',
  },
}
const context: Flag = {
  type: 'string',
  value: 'NAME',
  example: 'kind-demo',
  pattern: { regex: /^[^\s-][^\s]*$/, allowed: 'a name without spaces' },
  description: 'Context in that kubeconfig.',
}
/** For commands that work on any cluster. */
const otherCluster = {
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    example: 'kubeconfig.yaml',
    description: 'Another cluster than ours.',
  },
  context,
} as const satisfies Record<string, Flag>
const installDocker: Flag = { type: 'boolean', description: 'Install and start a Docker engine when there is none.' }
const verbose: Readonly<Record<string, Flag>> = {
  verbose: { type: 'boolean', description: 'Show every command with its duration.' },
}
const cluster: Readonly<Record<string, Flag>> = {
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
const assertions: Readonly<Record<string, Flag>> = {
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
    description: 'Verdicts that fail the run.',
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

const through: Flag = { type: 'string', of: stages, description: 'Stop after this stage. Default: assert.' }

/** The command line, the one definition: parsing, help and docs/cli.md come from here. */
export const commands = [
  {
    name: 'up',
    summary: 'from nothing to a proven platform: cluster, components, app, assertions',
    flags: {
      ...spec,
      ...clusterName,
      ...cluster,
      ...assertions,
      through,
      'install-docker': installDocker,
      ...verbose,
    },
  },
  {
    name: 'down',
    summary: 'remove what up made; keeps the image cache and the engine, and names them',
    flags: {
      ...clusterName,
      all: {
        type: 'boolean',
        description: 'Every cluster of ours, the image cache, and a Docker engine that we installed.',
      },
      ...verbose,
    },
  },
  {
    name: 'status',
    summary: 'clusters of ours on this host, their nodes and URLs',
    flags: { ...clusterName, ...verbose },
  },
  {
    name: 'plan',
    summary: 'what up would do here, without doing it',
    flags: { ...spec, ...clusterName, ...cluster, ...assertions, through, ...verbose },
  },
  {
    name: 'assert',
    summary: 'run the assertion suites against a cluster, ours or any',
    flags: {
      ...spec,
      ...clusterName,
      ...otherCluster,
      target: {
        type: 'string',
        of: ['voting-app', 'generic'],
        description: 'What runs in the namespace. Default: voting-app.',
      },
      namespace: {
        type: 'string',
        value: 'NAME',
        example: 'shop',
        pattern: namePattern(63),
        spec: 'app.namespace',
        description: 'Namespace of the app. Default: voting-app.',
      },
      timeout: {
        type: 'string',
        value: '3m',
        spec: 'assertions.timeout',
        description: 'Deadline for all checks; what has not run by then is inconclusive. Default: 5m.',
      },
      'probe-image': {
        type: 'string',
        value: 'IMAGE',
        example: 'registry.example.com/library/node:24-bookworm-slim',
        pattern: { regex: /^[a-zA-Z0-9][\w.:/@-]*$/, allowed: 'an image reference' },
        description: 'Node.js image that the probe pods run. Default: node:24-bookworm-slim of Docker Hub.',
      },
      'probe-namespace': {
        type: 'string',
        value: 'NAME',
        example: 'k8s-platform-probes',
        pattern: namePattern(63),
        description: 'An existing namespace for the probe pods. Default: one of the run’s own, removed with it.',
      },
      'print-rbac': {
        type: 'boolean',
        description:
          'Print, for kubectl apply, an account with exactly the rights that these suites need on this namespace; look at no cluster.',
      },
      ...assertions,
      ...verbose,
    },
  },
  {
    name: 'load-images',
    summary: 'put images of the local Docker, or archives, into every node',
    flags: {
      ...clusterName,
      kubeconfig: {
        type: 'string',
        value: 'FILE',
        example: 'kubeconfig.yaml',
        description: 'Another kind cluster of this machine than ours.',
      },
      context,
      images: {
        type: 'list',
        separator: 'line',
        value: 'shop:1',
        description: 'Images of the local Docker, as manifests name them.',
      },
      archives: {
        type: 'list',
        separator: 'line',
        value: 'shop.tar',
        description: 'Archives of docker save or in the OCI layout.',
      },
      timeout: { type: 'string', value: '10m', description: 'Deadline for all of it. Default: 10m.' },
      ...verbose,
    },
  },
  {
    name: 'deploy',
    summary: 'deploy any app: a chart, a kustomization or manifests, until exactly that is ready',
    flags: {
      ...clusterName,
      ...otherCluster,
      chart: {
        type: 'string',
        value: 'charts/shop',
        description: 'Helm chart: folder, .tgz, or oci://registry/chart.',
      },
      'chart-version': {
        type: 'string',
        value: '1.2.3',
        pattern: { regex: /^\d+\.\d+\.\d+[-+.\w]*$/, allowed: 'an exact version' },
        description: 'Exact version of a chart of a registry.',
      },
      kustomize: { type: 'string', value: 'k8s/overlays/test', description: 'Folder of a kustomization.' },
      manifests: {
        type: 'list',
        separator: 'line',
        value: 'k8s/',
        description: 'Files, folders and globs of manifests.',
      },
      images: {
        type: 'list',
        separator: 'line',
        value: 'nginx=shop/web:ci',
        description: 'Images of the local Docker to run, in place of another where NAME= is given.',
      },
      values: {
        type: 'list',
        separator: 'line',
        value: 'test.yaml',
        description: 'Helm values files; later ones win.',
      },
      set: {
        type: 'list',
        separator: 'line',
        value: 'db.password=fromEnv:DB_PASSWORD',
        description: 'Single Helm values; they win over files. Secrets come from variables.',
      },
      release: {
        type: 'string',
        value: 'shop',
        pattern: namePattern(53),
        description: 'Name of the deployment. Default: of chart, folder or file.',
      },
      namespace: {
        type: 'string',
        value: 'shop',
        pattern: namePattern(63),
        description: 'Namespace of what names none; given, nothing may name another. Default: default.',
      },
      'create-namespace': {
        type: 'boolean',
        default: true,
        description: 'Make namespaces that are missing. Default: true.',
      },
      prune: { type: 'boolean', description: 'Remove what former deployments made and this one has no more.' },
      'force-conflicts': { type: 'boolean', description: 'Take fields that another manager owns.' },
      'image-source': {
        type: 'string',
        of: ['auto', 'registry', 'packages'],
        description: 'Where helm and kubectl come from, for another cluster than ours. Default: auto.',
      },
      'helm-version': {
        type: 'string',
        value: 'preinstalled',
        pattern: {
          regex: /^(preinstalled|v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?)$/,
          allowed: 'an exact version, <version>@sha256:<64 hex digits>, or preinstalled',
        },
        description:
          'Exact version of helm, with the digest of its archive if it is not the pinned one, or preinstalled for what PATH has.',
      },
      'download-base-url': {
        type: 'string',
        value: 'URL',
        example: 'https://mirror.example.com/releases',
        pattern: { regex: /^https?:\/\/[^\s]+$/, allowed: 'an http or https URL' },
        description: "Replaces scheme and host of helm's and kubectl's download; digests are checked all the same.",
      },
      'dry-run': { type: 'boolean', description: 'Tell what would change, and change nothing.' },
      'print-rbac': {
        type: 'boolean',
        description:
          'Print, for kubectl apply, an account with exactly the rights that this deployment needs; ask the cluster about its kinds, and change nothing.',
      },
      timeout: { type: 'string', value: '5m', description: 'Deadline for applying and becoming ready. Default: 5m.' },
      ...verbose,
    },
  },
  {
    name: 'doctor',
    summary: 'can this host run it? Each finding with the number found and the fix',
    flags: { ...spec, ...cluster, ...verbose },
  },
  {
    name: 'images',
    summary: 'images built from package registries',
    words: { name: 'action', of: ['build', 'list', 'prune'], required: true },
    flags: {
      'kubernetes-version': { type: 'string', value: '1.34', description: 'Kubernetes version to build for.' },
      'install-docker': installDocker,
      ...verbose,
    },
  },
] as const satisfies readonly Command[]

export type CommandName = (typeof commands)[number]['name']

export function renderUsage(): string {
  const width = Math.max(...commands.map((command) => command.name.length)) + 2
  return [
    'k8s-platform: from nothing to a proven Kubernetes platform',
    '',
    ...commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    '',
    'k8s-platform COMMAND --help lists the flags. Exit codes: docs/cli.md.',
  ].join('\n')
}
