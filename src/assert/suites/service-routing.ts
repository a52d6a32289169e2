import type { Check } from '../check.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { backendsConnect, clusterIpsConnect } from './service-dials.ts'
import { endpointsReady } from './service-endpoints.ts'
import { identities } from './service-identity.ts'

/** S1: a Service's address reaches every ready backend and nothing else, from every node. */
export function serviceRoutingChecks(environment: SuiteEnvironment): Check[] {
  const base = { suite: 'service-routing', lane: 'parallel', needs: [], timeoutMs: 200_000 } as const
  return [
    {
      ...base,
      id: 'S1.identity',
      title: 'A ClusterIP reaches every ready pod behind it and no other, from every node',
      alongside: ['R1.probes'],
      run: (context) => identities(context, environment),
    },
    {
      ...base,
      id: 'S1.endpoints',
      title: 'Every Service with a selector has ready endpoints with ports',
      timeoutMs: environment.convergeMs + 20_000,
      run: (context) => endpointsReady(context, environment),
    },
    {
      ...base,
      id: 'S1.backends',
      title: 'Every ready endpoint of every Service accepts connections, from every node',
      alongside: ['R1.probes'],
      run: (context) => backendsConnect(context, environment),
    },
    {
      ...base,
      id: 'S1.cluster-ip',
      title: 'Every ClusterIP with ready endpoints accepts connections, from every node',
      needs: ['S1.backends'],
      alongside: ['R1.probes'],
      run: (context) => clusterIpsConnect(context, environment),
    },
  ]
}
