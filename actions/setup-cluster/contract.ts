import {
  artifactInput,
  cleanupInput,
  clusterRequirements,
  clusterState,
  jobStatusInput,
  logsInput,
  matrixInput,
  specInputs,
} from '../../src/action/common-inputs.ts'
import { defineAction } from '../../src/action/define-action.ts'
import { providers } from '../../src/cluster/provider.ts'

export const contract = defineAction({
  name: 'setup-cluster',
  title: 'k8s-platform: set up a cluster',
  description: 'A multi-node Kubernetes cluster that is really ready, and gone when the job ends',
  inputs: {
    ...specInputs,
    provider: {
      type: 'choice',
      of: providers,
      spec: 'cluster.provider',
      description: 'Who makes the cluster. This version supports `kind`; the others are refused. Default: `kind`.',
      example: 'kind',
    },
    'kubernetes-version': {
      type: 'version',
      spec: 'cluster.kubernetesVersion',
      description:
        'Kubernetes version: a minor (`1.36`, `1.36.x`) or an exact one. Default: `1.36`, with `image-source: packages` `1.34`.',
      example: '1.36',
    },
    'provider-version': {
      type: 'string',
      spec: 'cluster.providerVersion',
      description:
        "Exact version of the provider's tool, with its digest if it is not one that is pinned here, or `preinstalled` for what PATH has. Default: the pinned one.",
      example: '0.33.0',
      pattern: {
        regex: /^(preinstalled|v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?)$/,
        allowed: 'an exact version, <version>@sha256:<64 hex digits>, or preinstalled',
      },
    },
    'cluster-name': {
      type: 'string',
      spec: 'cluster.name',
      description: 'Name of the cluster. Default: `kp-<run id>-<job>-<hash>`, different for each leg of a matrix.',
      example: 'demo',
      pattern: {
        regex: /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
        allowed: 'lower-case letters, digits and inner hyphens, at most 40',
      },
    },
    'control-planes': {
      type: 'integer',
      min: 1,
      max: 9,
      spec: 'cluster.controlPlanes',
      description: 'Number of control-plane nodes. Default: `1`.',
      example: '3',
    },
    workers: {
      type: 'integer',
      min: 0,
      max: 50,
      spec: 'cluster.workers',
      description: 'Number of worker nodes; with `0` the control plane runs everything. Default: `3`.',
      example: '3',
    },
    'node-image': {
      type: 'string',
      spec: 'cluster.nodeImage',
      description:
        'Node image to use as it is, instead of the one that belongs to the Kubernetes version. Default: none.',
      example: 'kindest/node:v1.36.1',
      pattern: { regex: /^[a-zA-Z0-9][\w.:/@-]*$/, allowed: 'an image reference' },
    },
    config: {
      type: 'path',
      spec: 'cluster.config',
      description:
        "Path of the provider's own config file (a kind config), merged with the other inputs. Default: none.",
      example: 'kind.yaml',
    },
    'extra-args': {
      type: 'list',
      separator: 'line',
      spec: 'cluster.extraArgs',
      description: "Further arguments for the provider's create command, one per line. Default: none.",
      example: '--verbosity=3',
    },
    registry: {
      type: 'boolean',
      spec: 'cluster.registry.enabled',
      description: 'Run a local registry beside the cluster that every node can pull from. Default: `true`.',
      example: 'false',
    },
    'registry-port': {
      type: 'integer',
      min: 1,
      max: 65535,
      spec: 'cluster.registry.port',
      description: 'Port of the local registry on 127.0.0.1. Default: a free one.',
      example: '5001',
    },
    'registry-mirror': {
      type: 'string',
      spec: 'cluster.registry.mirror',
      description:
        'Pull-through mirrors that host and nodes use for upstream images: a URL for docker.io, or entries such as `quay.io=URL` and `*=URL/{host}`. An address of the loopback is refused. Default: none.',
      example: 'https://mirror.example.com',
    },
    'image-source': {
      type: 'choice',
      of: ['registry', 'packages'],
      spec: 'cluster.imageSource',
      description:
        'Where container images come from: `registry` pulls them, `packages` builds them from package registries and seals the network. Default: `registry`.',
      example: 'packages',
    },
    'download-base-url': {
      type: 'string',
      spec: 'cluster.downloadBaseUrl',
      description:
        'Replaces scheme and host of the downloads of kind and kubectl; their digests are checked all the same. Default: where the projects publish them.',
      example: 'https://mirror.example.com/releases',
      pattern: { regex: /^https?:\/\/[^\s@]+$/, allowed: 'an http or https URL without user and password' },
    },
    'kubectl-version': {
      type: 'string',
      spec: 'cluster.kubectlVersion',
      description:
        "kubectl to put on PATH: `server` (the server's minor), an exact version, or `none`. Default: `server`.",
      example: 'none',
      pattern: {
        regex: /^(server|none|preinstalled|v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?)$/,
        allowed: 'server, none, preinstalled, or an exact version',
      },
    },
    'export-kubeconfig': {
      type: 'boolean',
      default: 'true',
      description: 'Set `KUBECONFIG` for the later steps of the job.',
      example: 'false',
    },
    'install-only': {
      type: 'boolean',
      default: 'false',
      description: "Put the provider's tool and kubectl on PATH and make no cluster.",
      example: 'true',
    },
    'wait-for': {
      type: 'choices',
      of: ['api', 'nodes', 'system'],
      spec: 'cluster.waitFor',
      description:
        'What must be ready before the step ends: the API, all nodes, the system workloads with DNS answering on each node. Default: all three.',
      example: 'api, nodes',
    },
    timeout: {
      type: 'duration',
      spec: 'cluster.timeout',
      description:
        'Deadline for making the cluster and for its being ready. What is compiled first with `image-source: packages` does not count. Default: `10m`.',
      example: '15m',
    },
    cleanup: cleanupInput,
    logs: logsInput,
    artifact: artifactInput,
    'job-status': jobStatusInput,
    matrix: matrixInput,
  },
  renamed: {
    cluster_name: 'cluster-name',
    name: 'cluster-name',
    node_image: 'node-image',
    image: 'node-image',
    version: 'provider-version',
    kind_version: 'provider-version',
    kubectl_version: 'kubectl-version',
    k8s_version: 'kubernetes-version',
    'k8s-version': 'kubernetes-version',
    kubernetes_version: 'kubernetes-version',
    wait: 'timeout',
    install_only: 'install-only',
    args: 'extra-args',
    agents: 'workers',
    nodes: 'workers',
    servers: 'control-planes',
    registry_port: 'registry-port',
  },
  outputs: {
    kubeconfig: 'Path of the kubeconfig file, mode 0600, gone with the job.',
    context: 'Context in it.',
    'cluster-name': 'Name of the cluster.',
    'kubernetes-version': 'Version that the API server reports.',
    'provider-version': "Version of the provider's tool.",
    nodes: 'JSON array of the nodes: name, role, address.',
    registry: 'Address of the local registry to push to, `127.0.0.1:<port>`; empty without one.',
    'load-balancer-range': 'First and last address that LoadBalancer services may use.',
    'logs-path': 'Folder where evidence lies when something fails.',
    attempts:
      'Tries that making the cluster took: more than 1 where a known passing failure was retried; the logs of each lie under `logs-path`.',
    'duration-ms': 'Milliseconds that the step took.',
    timings: 'JSON array of the phases: name, startMs, durationMs, ok.',
  },
  state: clusterState,
  post: true,
  permissions: {},
  requirements: clusterRequirements,
  sections: [
    {
      title: 'Names and mirrors',
      text: [
        'A `cluster-name` that is given here has at most 40 characters, as those have that are made for a job. `load-images`, `teardown` and the flags of the command line take up to 50: as many as kind can make host names of, so that clusters which something else has made can be named too.',
        '',
        'What `registry-mirror` takes for each registry, what is refused, and certificates of mirrors: [docs/clusters.md](../docs/clusters.md#registry-and-mirrors).',
      ].join('\n'),
    },
  ],
  usage: `- uses: org/k8s-platform/setup-cluster@v1
  id: cluster
  with:
    kubernetes-version: '1.36'
    workers: 3
- run: kubectl get nodes --output wide`,
  branding: { icon: 'box', color: 'blue' },
})
