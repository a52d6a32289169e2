import type { Flag } from './arguments.ts'
import { assertions, clusterName, namePattern, otherCluster, spec, verbose } from './common-flags.ts'

/** What `assert` takes. */
export const assertFlags: Readonly<Record<string, Flag>> = {
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
}
