import { clusterInputs, commandLineText, specInputs } from '../../src/action/common-inputs.ts'
import { defineAction } from '../../src/action/define-action.ts'
import { rightsText } from '../../src/assert/rbac.ts'
import { namespacePattern } from '../../src/kubernetes/names.ts'
import { failOnText, suites, verdicts } from '../../src/spec/schema.ts'

export const contract = defineAction({
  name: 'assert',
  title: 'k8s-platform: assert',
  description: 'Checks with evidence on any cluster: nodes ready, DNS, service routing, a vote that provably counts',
  inputs: {
    ...specInputs,
    ...clusterInputs,
    suites: {
      type: 'choices',
      of: suites,
      spec: 'assertions.suites',
      description:
        'Suites to run. One that is named here and cannot run fails the step, unless `allow-skip` names it. Default: all that apply to the target.',
      example: 'readiness, dns',
    },
    target: {
      type: 'choice',
      of: ['voting-app', 'generic'],
      default: 'voting-app',
      description: 'What runs in the namespace: the voting app, or anything (`generic`).',
      example: 'generic',
    },
    namespace: {
      type: 'string',
      spec: 'app.namespace',
      description: 'Namespace to look at. Default: `voting-app`.',
      example: 'shop',
      pattern: namespacePattern,
    },
    'fail-on': {
      type: 'choices',
      of: verdicts,
      spec: 'assertions.failOn',
      description: `Verdicts that fail the step; ${failOnText} Default: \`fail, inconclusive\`.`,
      example: 'fail',
    },
    'allow-skip': {
      type: 'choices',
      of: suites,
      spec: 'assertions.allowSkip',
      description: 'Suites that may be skipped although they were named. Default: none.',
      example: 'vote-flow',
    },
    timeout: {
      type: 'duration',
      spec: 'assertions.timeout',
      description: 'Deadline for all checks; what has not run by then is inconclusive. Default: `5m`.',
      example: '3m',
    },
    'report-dir': {
      type: 'path',
      description: 'Folder for the JUnit and JSON reports. Default: a new folder in the temporary one.',
      example: 'reports',
    },
    'probe-image': {
      type: 'string',
      description:
        'Node.js image that the probe pods run. Default: `docker.io/library/node:24-bookworm-slim`, a tag that moves with its patch releases.',
      example: 'registry.example.com/library/node:24-bookworm-slim',
      pattern: { regex: /^[a-zA-Z0-9][\w.:/@-]*$/, allowed: 'an image reference' },
    },
    'probe-namespace': {
      type: 'string',
      description:
        'An existing namespace for the probe pods, for accounts that may not make one. Default: one of the run’s own, removed with it.',
      example: 'k8s-platform-probes',
      pattern: namespacePattern,
    },
  },
  outputs: {
    verdict: '`pass` or `fail`.',
    passed: 'Number of checks that passed.',
    failed: 'Number of checks that failed.',
    inconclusive: 'Number of checks that could not see.',
    skipped: 'Number of checks that did not look.',
    report: 'Path of the JSON record; the other reports lie beside it.',
  },
  state: {},
  post: false,
  permissions: {},
  requirements: [
    'A cluster and a kubeconfig whose account has the rights below.',
    'The cluster can pull the probe image, or has it.',
  ],
  sections: [{ title: 'Rights in the cluster', text: `${rightsText()}\n\n${commandLineText}` }],
  usage: `- uses: org/k8s-platform/assert@v1
  with:
    suites: readiness, dns, vote-flow
    report-dir: reports`,
  branding: { icon: 'shield', color: 'blue' },
})
