/**
 * The script that runs inside probe pods, one file without dependencies. Two uses:
 * - `node probe.js serve`: the identity server, the pod's main process;
 * - `node -` with this file on stdin, preceded by a line that sets `globalThis.k8sPlatformBatch`: runs that batch and prints one line per result,
 *   `<nonce> <JSON>`, and last `<nonce> {"end":<number of results>}`. A stream that breaks off therefore never looks whole.
 */
import type { ProbeBatch } from './protocol.ts'
import { runBatch } from './run-probe.ts'
import { serveIdentity } from './serve.ts'

const identity = { pod: process.env['POD_NAME'] ?? '', node: process.env['NODE_NAME'] ?? '' }
const batch = (globalThis as { k8sPlatformBatch?: ProbeBatch }).k8sPlatformBatch

if (batch !== undefined) {
  const say = (record: object): void => {
    process.stdout.write(`${batch.nonce} ${JSON.stringify(record)}\n`)
  }
  let count = 0
  await runBatch(batch, identity, (result) => {
    count += 1
    say(result)
  })
  say({ end: count })
} else if (process.argv[2] === 'serve') {
  serveIdentity(identity)
} else {
  process.stderr.write('usage: probe.js serve, or a batch on stdin\n')
  process.exitCode = 2
}
