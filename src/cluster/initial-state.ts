import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { contextOf } from './cluster-name.ts'
import type { ClusterOwner, ProcessIdentity } from './owner.ts'
import type { ClusterRequest } from './provider.ts'
import type { ClusterState } from './state.ts'

/** What is on record before the first thing is created. */
export function initialState(
  host: Host,
  request: ClusterRequest,
  options: { readonly owner: ClusterOwner; readonly folder?: string },
  version: string,
  key: string,
  maker: ProcessIdentity,
): ClusterState & { readonly maker: ProcessIdentity } {
  const folder = options.folder ?? join(host.paths.temp, request.name)
  const now = host.clock.now().toISOString()
  return {
    schema: 1,
    name: request.name,
    provider: 'kind',
    phase: 'creating',
    owner: options.owner,
    maker,
    imageSource: request.imageSource,
    kubernetesVersion: version,
    tools: {},
    kubeconfig: join(folder, 'kubeconfig'),
    context: contextOf(request.name),
    folder,
    logsPath: join(folder, 'logs'),
    hostPorts: {},
    requestKey: key,
    createdAt: now,
    updatedAt: now,
  }
}

/** Two requests with the same key make the same cluster. How long to wait for it is not part of that. */
export async function requestKey(request: ClusterRequest, version: string): Promise<string> {
  const { timeoutMs: _timeout, waitFor: _waitFor, kubectlVersion: _kubectl, config, ...shape } = request
  const text = config === undefined ? '' : await readFile(config, 'utf8')
  return createHash('sha256')
    .update(JSON.stringify({ ...shape, kubernetesVersion: version, config: text }))
    .digest('hex')
    .slice(0, 16)
}
