/** A process of its own that creates a cluster, for tests that kill it. Prints what kind says; the argument is JSON: { paths, request }. */
import { setupCluster } from '../../src/cluster/create-cluster.ts'
import { currentOwner } from '../../src/cluster/owner.ts'
import { recordingLogger, testHost } from './test-host.ts'

const { paths, request } = JSON.parse(process.argv[2] ?? '{}')
const log = { ...recordingLogger(), progress: (message: string) => void process.stdout.write(`${message}\n`) }
const host = testHost({ log, paths, env: process.env as Record<string, string> })
await setupCluster(host, request, { owner: await currentOwner({ pid: process.pid, kind: 'person' }), machine: process })
