import type { PolicyCase } from './expectation.ts'

/** Ingress to every pod of namespace x on these ports, from anywhere. */
const open = (...ports: readonly object[]): PolicyCase['policies'] => [
  { namespace: 'x', spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ ports }] } },
]
const denied = 'deny * -> x/*'
/** x/b's Service leads to its port 8080. */
const tcp8080 = ['allow * -> x/*:8080/TCP', 'allow * -> x/b:80/service']

/** Which ports a rule means. */
export const portCases: readonly PolicyCase[] = [
  {
    name: 'port by number; the protocol is TCP unless said',
    policies: open({ port: 8080 }),
    expected: [denied, ...tcp8080],
  },
  {
    name: 'port by name: the number is each pod’s own',
    policies: open({ port: 'web' }),
    expected: [denied, 'allow * -> x/a:8080/TCP', 'allow * -> x/b:8081/TCP'],
  },
  {
    name: 'port by name, UDP',
    policies: open({ port: 'query', protocol: 'UDP' }),
    expected: [denied, 'allow * -> x/*:8080/UDP'],
  },
  { name: 'a port name under the wrong protocol opens nothing', policies: open({ port: 'query' }), expected: [denied] },
  { name: 'a port name that no pod has opens nothing', policies: open({ port: 'absent' }), expected: [denied] },
  {
    name: 'endPort: both ends belong to the range',
    policies: open({ port: 8080, endPort: 8081 }),
    expected: [denied, 'allow * -> x/*/TCP', 'allow * -> x/b:80/service'],
  },
  {
    name: 'endPort: nothing below the range',
    policies: open({ port: 8081, endPort: 9000 }),
    expected: [denied, 'allow * -> x/*:8081/TCP'],
  },
  {
    name: 'UDP is not TCP on the same port',
    policies: open({ port: 8080, protocol: 'UDP' }),
    expected: [denied, 'allow * -> x/*:8080/UDP'],
  },
  {
    name: 'a protocol without a port: all its ports',
    policies: open({ protocol: 'TCP' }),
    expected: ['deny * -> x/*:8080/UDP'],
  },
  {
    name: 'SCTP opens neither TCP nor UDP',
    policies: open({ port: 8080, protocol: 'SCTP' }),
    expected: [denied],
  },
  {
    name: 'several ports of one rule',
    policies: open({ port: 8080, protocol: 'UDP' }, { port: 8081 }),
    expected: [denied, 'allow * -> x/*:8080/UDP', 'allow * -> x/*:8081/TCP'],
  },
  {
    name: 'peer and port of one rule: both must hold',
    policies: [
      {
        namespace: 'x',
        spec: {
          podSelector: { matchLabels: { app: 'a' } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app: 'b' } } }], ports: [{ port: 8081 }] }],
        },
      },
    ],
    expected: ['deny * -> x/a:*', 'allow x/b -> x/a:8081/TCP'],
  },
  {
    name: 'two rules do not lend each other peers or ports',
    policies: [
      {
        namespace: 'x',
        spec: {
          podSelector: { matchLabels: { app: 'a' } },
          ingress: [
            { from: [{ podSelector: { matchLabels: { app: 'b' } } }], ports: [{ port: 8080 }] },
            { from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }], ports: [{ port: 8081 }] },
          ],
        },
      },
    ],
    expected: ['deny * -> x/a:*', 'allow x/b -> x/a:8080/TCP', 'allow y/* -> x/a:8081/TCP'],
  },
]
