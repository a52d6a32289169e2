import type { PolicyCase } from './expectation.ts'

/** Egress of x/a by this one rule. */
const leave = (rule: object): PolicyCase['policies'] => [
  { namespace: 'x', spec: { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Egress'], egress: [rule] } },
]
const denied = 'deny x/a -> *'
const appB = { podSelector: { matchLabels: { app: 'b' } } }

export const egressCases: readonly PolicyCase[] = [
  {
    name: 'egress to a podSelector: its Service too, as rules see the pod behind it',
    policies: leave({ to: [appB] }),
    expected: [denied, 'allow x/a -> x/b:*'],
  },
  {
    name: 'egress to a namespaceSelector',
    policies: leave({ to: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }] }),
    expected: [denied, 'allow x/a -> y/*'],
  },
  {
    name: 'egress to an ipBlock',
    policies: leave({ to: [{ ipBlock: { cidr: '{y/b}/32' } }] }),
    expected: [denied, 'allow x/a -> y/b:*'],
  },
  {
    name: 'egress to an ipBlock with except, pods and nodes alike',
    policies: leave({ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['{y/b}/32', '{node2}/32'] } }] }),
    expected: ['deny x/a -> y/b:*', 'deny x/a -> node2:*'],
  },
  {
    name: 'egress by the pod’s port: the Service is reached, its own port does not count',
    policies: leave({ to: [appB], ports: [{ port: 8080 }] }),
    expected: [denied, 'allow x/a -> x/b:8080/TCP', 'allow x/a -> x/b:80/service'],
  },
  {
    name: 'egress by the Service’s port opens nothing',
    policies: leave({ ports: [{ port: 80 }] }),
    expected: [denied],
  },
  {
    name: 'egress by port name: the name is the destination’s',
    policies: leave({ to: [{ namespaceSelector: {} }], ports: [{ port: 'web' }] }),
    expected: [denied, 'allow x/a -> x/b:8081/TCP', 'allow x/a -> y/a:8080/TCP', 'allow x/a -> y/b:8081/TCP'],
  },
  {
    name: 'egress over a range of ports',
    policies: leave({ ports: [{ port: 8081, endPort: 8090 }] }),
    expected: [denied, 'allow x/a -> *:8081/TCP'],
  },
  {
    name: 'egress to DNS only',
    policies: [
      {
        namespace: 'x',
        spec: {
          podSelector: {},
          policyTypes: ['Egress'],
          egress: [
            {
              to: [
                {
                  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
                  podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
                },
              ],
              ports: [
                { port: 53, protocol: 'UDP' },
                { port: 53, protocol: 'TCP' },
              ],
            },
          ],
        },
      },
    ],
    expected: ['deny x/* -> *', 'allow x/* -> dns:53/UDP'],
  },
  {
    name: 'both sides must agree: let in, but not let out',
    policies: [
      { namespace: 'x', spec: { podSelector: { matchLabels: { app: 'b' } }, policyTypes: ['Egress'] } },
      {
        namespace: 'x',
        spec: { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Ingress'], ingress: [{ from: [appB] }] },
      },
    ],
    expected: ['deny * -> x/a:*', 'deny x/b -> *'],
  },
]
