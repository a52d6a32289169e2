import type { PolicyCase } from './expectation.ts'

const all = { podSelector: {} }
const appA = { podSelector: { matchLabels: { app: 'a' } } }
const fromAppB = { from: [{ podSelector: { matchLabels: { app: 'b' } } }] }
const fromBlue = { from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }] }

/** What a policy as a whole says: whom it isolates, in which direction, and how policies add up. */
export const policyCases: readonly PolicyCase[] = [
  {
    name: 'default deny ingress',
    policies: [{ namespace: 'x', spec: { ...all, policyTypes: ['Ingress'] } }],
    expected: ['deny * -> x/*'],
  },
  {
    name: 'default deny egress',
    policies: [{ namespace: 'x', spec: { ...all, policyTypes: ['Egress'] } }],
    expected: ['deny x/* -> *'],
  },
  {
    name: 'default deny both',
    policies: [{ namespace: 'x', spec: { ...all, policyTypes: ['Ingress', 'Egress'] } }],
    expected: ['deny * -> x/*', 'deny x/* -> *'],
  },
  {
    name: 'allow all ingress beats default deny',
    policies: [
      { namespace: 'x', spec: { ...all, policyTypes: ['Ingress'] } },
      { namespace: 'x', spec: { ...all, policyTypes: ['Ingress'], ingress: [{}] } },
    ],
    expected: [],
  },
  {
    name: 'allow all egress beats default deny',
    policies: [
      { namespace: 'x', spec: { ...all, policyTypes: ['Egress'] } },
      { namespace: 'x', spec: { ...all, policyTypes: ['Egress'], egress: [{}] } },
    ],
    expected: [],
  },
  {
    name: 'allow all ingress leaves egress denied',
    policies: [{ namespace: 'x', spec: { ...all, policyTypes: ['Ingress', 'Egress'], ingress: [{}] } }],
    expected: ['deny x/* -> *'],
  },
  {
    name: 'two policies for the same pod add up',
    policies: [
      { namespace: 'x', spec: { ...appA, ingress: [fromAppB] } },
      { namespace: 'x', spec: { ...appA, ingress: [{ ...fromBlue, ports: [{ port: 8080 }] }] } },
    ],
    expected: ['deny * -> x/a:*', 'allow x/b -> x/a:*', 'allow y/* -> x/a:8080/TCP'],
  },
  {
    name: 'policyTypes absent, only ingress rules: egress stays free',
    policies: [{ namespace: 'x', spec: { ...appA, ingress: [fromAppB] } }],
    expected: ['deny * -> x/a:*', 'allow x/b -> x/a:*'],
  },
  {
    name: 'policyTypes absent, no rules: ingress is denied, egress stays free',
    policies: [{ namespace: 'x', spec: { ...appA } }],
    expected: ['deny * -> x/a:*'],
  },
  {
    name: 'policyTypes absent, egress rules: both directions are isolated',
    policies: [
      { namespace: 'x', spec: { ...appA, egress: [{ to: [{ podSelector: { matchLabels: { app: 'b' } } }] }] } },
    ],
    expected: ['deny * -> x/a:*', 'deny x/a -> *', 'allow x/a -> x/b:*'],
  },
  {
    name: 'policyTypes Egress alone: ingress stays free',
    policies: [{ namespace: 'x', spec: { ...appA, policyTypes: ['Egress'], egress: [] } }],
    expected: ['deny x/a -> *'],
  },
  {
    name: 'the policy’s own podSelector with an expression',
    policies: [
      {
        namespace: 'x',
        spec: {
          podSelector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['front'] }] },
          policyTypes: ['Ingress'],
        },
      },
    ],
    expected: ['deny * -> x/b:*'],
  },
  {
    name: 'a policy that selects no pod changes nothing',
    policies: [{ namespace: 'x', spec: { podSelector: { matchLabels: { app: 'absent' } } } }],
    expected: [],
  },
  {
    name: 'a policy is of its namespace: the same labels elsewhere are unaffected',
    policies: [{ namespace: 'y', spec: { ...appA, policyTypes: ['Ingress', 'Egress'] } }],
    expected: ['deny * -> y/a:*', 'deny y/a -> *'],
  },
  {
    name: 'policies of three namespaces at once',
    policies: [
      { namespace: 'x', spec: { ...all, policyTypes: ['Ingress'], ingress: [fromBlue] } },
      { namespace: 'y', spec: { ...all, policyTypes: ['Egress'], egress: [{ ports: [{ port: 8080 }] }] } },
      { namespace: 'z', spec: { ...all, policyTypes: ['Ingress', 'Egress'] } },
    ],
    expected: [
      'deny * -> x/*',
      'deny y/* -> *',
      'allow y/* -> *:8080/TCP',
      'allow y/* -> x/b:80/service',
      'deny * -> z/*',
      'deny z/* -> *',
    ],
  },
]
