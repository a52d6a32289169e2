import { defineAction } from '../../src/action/define-action.ts'

export const contract = defineAction({
  name: 'teardown',
  title: 'k8s-platform: teardown',
  description: 'Removes what the other actions made on this host; running it again is fine',
  inputs: {
    'cluster-name': {
      type: 'string',
      required: true,
      description: 'Name of the cluster, as `setup-cluster` put it out.',
      example: 'demo',
      pattern: {
        regex: /^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$/,
        allowed: 'lower-case letters, digits and inner hyphens, at most 50',
      },
    },
    'keep-logs': {
      type: 'boolean',
      default: 'false',
      description: 'Keep the folder with the evidence of failures.',
      example: 'true',
    },
  },
  renamed: { name: 'cluster-name', cluster_name: 'cluster-name' },
  outputs: { removed: 'JSON array of what was removed; empty when nothing was there.' },
  state: {},
  post: false,
  permissions: {},
  requirements: ['The same host, and the Docker engine, that the cluster was made with.'],
  usage: `- uses: org/k8s-platform/teardown@v1
  with:
    cluster-name: demo`,
  branding: { icon: 'trash-2', color: 'blue' },
})
