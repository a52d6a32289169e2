import type { Rule } from '../kubernetes/rbac.ts'
import type { suites } from '../spec/schema.ts'

export type SuiteName = (typeof suites)[number]

/** Where a right is needed: in the whole cluster, in the namespace under test, in the one of the probe pods, or in one that every cluster has. */
export type Place = 'cluster' | 'app' | 'probes' | 'kube-system' | 'kube-node-lease' | 'default'

/** One rule that an account needs; without it a check of these suites is inconclusive and names what it may not do. */
export interface Permission extends Rule {
  readonly suites: readonly SuiteName[]
  readonly place: Place
  /** What for, as the end of "so that …". */
  readonly why: string
}

const all: readonly SuiteName[] = ['readiness', 'dns', 'service-routing', 'vote-flow']
const asking: readonly SuiteName[] = ['dns', 'service-routing']
const readiness: readonly SuiteName[] = ['readiness']
const votes: readonly SuiteName[] = ['vote-flow']

/**
 * Every right that the suites use, the one source of the manifest, of the tables in the docs and of the test that takes them away one by one. What every account may do
 * (discovery, `/version`) is not among them.
 */
export const permissions: readonly Permission[] = [
  {
    suites: all,
    place: 'cluster',
    group: '',
    resources: ['nodes'],
    verbs: ['list'],
    why: 'there is a probe pod for each node, and R1 sees them all',
  },
  {
    suites: all,
    place: 'probes',
    group: '',
    resources: ['configmaps'],
    // `list` finds what killed runs left.
    verbs: ['create', 'patch', 'list', 'delete'],
    why: 'the probe script is there, and gone afterwards',
  },
  {
    suites: all,
    place: 'probes',
    group: '',
    resources: ['services'],
    verbs: ['create', 'patch', 'get'],
    why: 'routing and DNS are proven on Services of the run’s own',
  },
  {
    suites: all,
    place: 'probes',
    group: '',
    resources: ['pods'],
    verbs: ['create', 'patch', 'list', 'watch'],
    why: 'probe pods start and are waited for',
  },
  {
    suites: all,
    place: 'probes',
    group: '',
    resources: ['pods/exec'],
    // A WebSocket is opened with GET; from Kubernetes 1.35 the API server asks for `create` as well.
    verbs: ['get', 'create'],
    why: 'probes are sent to the pods',
  },
  {
    suites: asking,
    place: 'probes',
    group: 'discovery.k8s.io',
    resources: ['endpointslices'],
    verbs: ['list'],
    why: 'answers are compared with the probe pods that are ready',
  },
  {
    suites: readiness,
    place: 'kube-node-lease',
    group: 'coordination.k8s.io',
    resources: ['leases'],
    verbs: ['list', 'watch'],
    why: 'R1 sees kubelets renew their leases',
  },
  ...(['app', 'kube-system'] as const).flatMap((place): Permission[] => [
    {
      suites: readiness,
      place,
      group: 'apps',
      resources: ['replicasets'],
      verbs: ['list'],
      why: 'R2 tells pods of an older revision, and creations that were refused',
    },
    {
      suites: place === 'app' ? ['readiness', 'service-routing'] : readiness,
      place,
      group: 'apps',
      resources: ['deployments', 'statefulsets', 'daemonsets'],
      verbs: ['list'],
      why:
        place === 'app' ? 'R2 sees the rollouts, S1 which workload a Service means' : 'R2 sees the system’s rollouts',
    },
    {
      suites: place === 'app' ? ['readiness', 'service-routing', 'vote-flow'] : readiness,
      place,
      group: '',
      resources: ['pods'],
      // `watch` ends R5 as soon as something changes.
      verbs: ['list', 'watch'],
      why: 'R2 and R5 see what became of them, and the reason where one is not Ready',
    },
  ]),
  {
    suites: readiness,
    place: 'cluster',
    group: 'apiregistration.k8s.io',
    resources: ['apiservices'],
    verbs: ['list'],
    why: 'R3 sees that each is Available',
  },
  {
    suites: readiness,
    place: 'cluster',
    group: 'apiextensions.k8s.io',
    resources: ['customresourcedefinitions'],
    verbs: ['list'],
    why: 'R3 sees that each is Established',
  },
  {
    suites: readiness,
    place: 'cluster',
    group: 'admissionregistration.k8s.io',
    resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
    verbs: ['list'],
    why: 'R3 knows which webhooks must answer',
  },
  {
    suites: asking,
    place: 'app',
    group: '',
    resources: ['services'],
    verbs: ['list'],
    why: 'each is asked for by name, and dialled',
  },
  {
    suites: asking,
    place: 'app',
    group: 'discovery.k8s.io',
    resources: ['endpointslices'],
    verbs: ['list'],
    why: 'it is known which backends must answer',
  },
  {
    suites: ['service-routing'],
    place: 'app',
    group: 'networking.k8s.io',
    resources: ['networkpolicies'],
    verbs: ['list'],
    why: 'a backend that a policy isolates is not called broken',
  },
  {
    suites: ['dns'],
    place: 'kube-system',
    group: '',
    resources: ['services'],
    verbs: ['list'],
    why: 'D1 finds the DNS Service',
  },
  {
    suites: ['dns'],
    place: 'kube-system',
    group: 'discovery.k8s.io',
    resources: ['endpointslices'],
    verbs: ['list'],
    why: 'D1 asks each DNS server by itself',
  },
  {
    suites: ['dns'],
    place: 'default',
    group: '',
    resources: ['services'],
    names: ['kubernetes'],
    verbs: ['get'],
    why: 'the address of a name that every cluster has is known',
  },
  {
    suites: votes,
    place: 'app',
    group: '',
    resources: ['services'],
    names: ['vote-service', 'result-service'],
    verbs: ['get'],
    why: 'the voting app is found',
  },
  {
    suites: votes,
    place: 'kube-system',
    group: '',
    resources: ['configmaps'],
    names: ['k8s-platform-host-ports'],
    verbs: ['get'],
    why: 'NodePorts that this machine publishes are used as a user would',
  },
  {
    suites: votes,
    place: 'app',
    group: '',
    resources: ['pods/exec'],
    verbs: ['get', 'create'],
    why: 'R4 asks Postgres and Redis where a vote is',
  },
]

/** What else an account needs where no probe namespace is given: one is made for each run, so the rights there are rights everywhere. */
export const ownNamespacePermissions: readonly Permission[] = [
  {
    suites: all,
    place: 'cluster',
    group: '',
    resources: ['namespaces'],
    verbs: ['create', 'patch', 'list', 'delete'],
    why: 'each run has a namespace of its own, and removes those of dead runs',
  },
  {
    suites: all,
    place: 'cluster',
    group: '',
    resources: ['serviceaccounts'],
    verbs: ['create', 'patch'],
    why: 'probe pods run as an account without rights',
  },
]

export function permissionsOf(suites: readonly string[]): Permission[] {
  return permissions.filter((permission) => permission.suites.some((suite) => suites.includes(suite)))
}
