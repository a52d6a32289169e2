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
import { stages } from '../../src/pipeline/stages.ts'

/** The root action: the whole pipeline in one step. What it has no input for stands in the spec. */
export const contract = defineAction({
  name: 'platform',
  title: 'k8s-platform',
  description: 'From nothing to a proven Kubernetes platform in one step: cluster, components, app, assertions',
  inputs: {
    ...specInputs,
    through: {
      type: 'choice',
      of: stages,
      default: 'assert',
      description: 'Last stage to run.',
      example: 'app',
    },
    'image-source': {
      type: 'choice',
      of: ['registry', 'packages'],
      spec: 'cluster.imageSource',
      description:
        'Where container images come from: `registry` pulls them, `packages` builds them from package registries and seals the network. Default: `registry`.',
      example: 'packages',
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
    timeout: {
      type: 'duration',
      spec: 'cluster.timeout',
      description: 'Deadline for the cluster; app and assertions have theirs in the spec. Default: `10m`.',
      example: '15m',
    },
    'report-dir': {
      type: 'path',
      description: 'Folder for the JUnit and JSON reports. Default: a new folder in the temporary one.',
      example: 'reports',
    },
    cleanup: cleanupInput,
    logs: logsInput,
    artifact: artifactInput,
    'job-status': jobStatusInput,
    matrix: matrixInput,
  },
  renamed: { cluster_name: 'cluster-name', name: 'cluster-name' },
  outputs: {
    kubeconfig: 'Path of the kubeconfig file, mode 0600, gone with the job.',
    context: 'Context in it.',
    'cluster-name': 'Name of the cluster.',
    'logs-path': 'Folder where evidence lies when something fails.',
    attempts: 'Tries that making the cluster took.',
    'vote-url': 'URL of the page to vote on; empty before stage `app`.',
    'result-url': 'URL of the live results; empty before stage `app`.',
    verdict: '`pass` or `fail`; empty before stage `assert`.',
    passed: 'Number of checks that passed.',
    failed: 'Number of checks that failed.',
    inconclusive: 'Number of checks that could not see.',
    skipped: 'Number of checks that did not look.',
    report: 'Path of the JSON record; the other reports lie beside it.',
    'duration-ms': 'Milliseconds that the step took.',
    timings: 'JSON array of the phases: name, startMs, durationMs, ok.',
  },
  state: clusterState,
  post: true,
  permissions: {},
  requirements: clusterRequirements,
  usage: `- uses: org/k8s-platform@v1
  id: platform
  with:
    spec: platform.yaml
- env:
    VOTE_URL: \${{ steps.platform.outputs.vote-url }}
  run: curl --fail "$VOTE_URL"`,
  branding: { icon: 'layers', color: 'blue' },
})
