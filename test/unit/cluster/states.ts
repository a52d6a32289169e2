import type { ClusterState } from '../../../src/cluster/state.ts'

/** A state as a living job on this machine would have written it, changed as the test needs. */
export function stateOf(changes: Partial<ClusterState> & { readonly name: string }): ClusterState {
  return {
    schema: 1,
    provider: 'kind',
    phase: 'ready',
    owner: { kind: 'job', runId: '7', bootId: 'boot-1', pid: 100, startTime: '1000', pidNamespace: 'pid:[1]' },
    imageSource: 'registry',
    tools: {},
    kubeconfig: `/nowhere/${changes.name}/kubeconfig`,
    context: `kind-${changes.name}`,
    folder: `/nowhere/${changes.name}`,
    logsPath: `/nowhere/${changes.name}/logs`,
    hostPorts: {},
    requestKey: 'key',
    createdAt: '2026-11-21T10:00:00.000Z',
    updatedAt: '2026-11-21T10:00:00.000Z',
    ...changes,
  }
}
