import { clusterInputs, helmInputs, specInputs } from '../../src/action/common-inputs.ts'
import { defineAction } from '../../src/action/define-action.ts'
import { namespacePattern } from '../../src/kubernetes/names.ts'

export const contract = defineAction({
  name: 'deploy-voting-app',
  title: 'k8s-platform: deploy the voting app',
  description: 'The five-service voting app by Helm, rolled out completely, with the URLs to use it',
  inputs: {
    ...specInputs,
    ...clusterInputs,
    images: {
      type: 'choice',
      of: ['auto', 'published', 'build'],
      spec: 'app.images',
      description:
        'Where the three images of the app come from: `published` takes the digests of this release, `build` builds them from its own source, `auto` the first that is possible. Default: `auto`.',
      example: 'build',
    },
    namespace: {
      type: 'string',
      spec: 'app.namespace',
      description: 'Namespace to deploy to; made where it does not exist. Default: `voting-app`.',
      example: 'voting-app',
      pattern: namespacePattern,
    },
    values: {
      type: 'path',
      spec: 'app.values',
      description: "Path of a Helm values file, checked against the chart's schema. Default: none.",
      example: 'values.yaml',
    },
    timeout: {
      type: 'duration',
      spec: 'app.timeout',
      description: 'Deadline for Helm and the rollout. Images have 15 minutes of their own before it. Default: `5m`.',
      example: '8m',
    },
    ...helmInputs,
  },
  outputs: {
    'vote-url': 'URL of the page to vote on.',
    'result-url': 'URL of the live results.',
    namespace: 'Namespace it runs in.',
    revision: 'Revision of the Helm release.',
  },
  state: {},
  post: false,
  permissions: {},
  requirements: [
    'A cluster, such as one of `setup-cluster`; neither a checkout nor a spec nor secrets are needed.',
    'With `images: build`, a Docker engine that the job can reach.',
  ],
  usage: `- uses: org/k8s-platform/deploy-voting-app@v1
  id: app
  with:
    images: auto
- env:
    VOTE_URL: \${{ steps.app.outputs.vote-url }}
  run: curl --fail "$VOTE_URL"`,
  branding: { icon: 'check-square', color: 'blue' },
})
