import type { PolicyCase } from './expectation.ts'

/** Ingress to x/a from the given peers; `from` as in the API. */
const admit = (...from: readonly object[]): PolicyCase['policies'] => [
  {
    namespace: 'x',
    spec: { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Ingress'], ingress: [{ from }] },
  },
]
const denied = 'deny * -> x/a:*'
const blue = { matchLabels: { team: 'blue' } }
const appB = { matchLabels: { app: 'b' } }
const expression = (key: string, operator: string, ...values: string[]): object => ({
  matchExpressions: [{ key, operator, ...(values.length === 0 ? {} : { values }) }],
})

/** Whom a peer means. */
export const peerCases: readonly PolicyCase[] = [
  {
    name: 'podSelector alone: pods of the policy’s own namespace',
    policies: admit({ podSelector: appB }),
    expected: [denied, 'allow x/b -> x/a:*'],
  },
  {
    name: 'empty podSelector as peer: every pod of the policy’s own namespace',
    policies: admit({ podSelector: {} }),
    expected: [denied, 'allow x/* -> x/a:*'],
  },
  {
    name: 'namespaceSelector alone: every pod of those namespaces',
    policies: admit({ namespaceSelector: blue }),
    expected: [denied, 'allow y/* -> x/a:*'],
  },
  {
    name: 'empty namespaceSelector: every pod, and no node',
    policies: admit({ namespaceSelector: {} }),
    expected: [denied, 'allow x/* -> x/a:*', 'allow y/* -> x/a:*', 'allow z/* -> x/a:*'],
  },
  {
    name: 'both selectors in one peer: those pods of those namespaces',
    policies: admit({ namespaceSelector: blue, podSelector: appB }),
    expected: [denied, 'allow y/b -> x/a:*'],
  },
  {
    name: 'the same selectors as two peers: either is enough',
    policies: admit({ namespaceSelector: blue }, { podSelector: appB }),
    expected: [denied, 'allow y/* -> x/a:*', 'allow x/b -> x/a:*'],
  },
  {
    name: 'namespace by its name label',
    policies: admit({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'policy-z' } } }),
    expected: [denied, 'allow z/* -> x/a:*'],
  },
  {
    name: 'matchExpressions In',
    policies: admit({ namespaceSelector: expression('team', 'In', 'blue', 'green') }),
    expected: [denied, 'allow y/* -> x/a:*', 'allow z/* -> x/a:*'],
  },
  {
    name: 'matchExpressions NotIn, on namespaces',
    policies: admit({ namespaceSelector: expression('team', 'NotIn', 'blue') }),
    expected: [denied, 'allow x/* -> x/a:*', 'allow z/* -> x/a:*'],
  },
  {
    name: 'matchExpressions NotIn also holds where the label is absent',
    policies: admit({ namespaceSelector: {}, podSelector: expression('tier', 'NotIn', 'front') }),
    expected: [denied, 'allow x/b -> x/a:*', 'allow y/b -> x/a:*', 'allow z/a -> x/a:*'],
  },
  {
    name: 'matchExpressions Exists',
    policies: admit({ namespaceSelector: expression('env', 'Exists') }),
    expected: [denied, 'allow y/* -> x/a:*'],
  },
  {
    name: 'matchExpressions DoesNotExist',
    policies: admit({ namespaceSelector: expression('env', 'DoesNotExist') }),
    expected: [denied, 'allow x/* -> x/a:*', 'allow z/* -> x/a:*'],
  },
  {
    name: 'matchLabels and matchExpressions of one selector: both must hold',
    policies: admit({
      namespaceSelector: {},
      podSelector: { matchLabels: { app: 'a' }, matchExpressions: [{ key: 'tier', operator: 'In', values: ['back'] }] },
    }),
    expected: [denied, 'allow z/a -> x/a:*'],
  },
  {
    name: 'ipBlock of one pod',
    policies: admit({ ipBlock: { cidr: '{y/a}/32' } }),
    expected: [denied, 'allow y/a -> x/a:*'],
  },
  {
    name: 'ipBlock of another node: its own network is let in',
    policies: admit({ ipBlock: { cidr: '{node2}/32' } }),
    expected: [denied, 'allow node2 -> x/a:*'],
  },
  {
    name: 'ipBlock with except',
    policies: admit({ ipBlock: { cidr: '0.0.0.0/0', except: ['{y/a}/32', '{node2}/32'] } }),
    expected: ['deny y/a -> x/a:*', 'deny node2 -> x/a:*'],
  },
  {
    name: 'except takes nothing away from another peer',
    policies: admit({ ipBlock: { cidr: '0.0.0.0/0', except: ['{y/a}/32', '{z/a}/32'] } }, { namespaceSelector: blue }),
    expected: ['deny z/a -> x/a:*'],
  },
]
