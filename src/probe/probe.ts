/**
 * The script that runs inside probe pods, one file without dependencies. Two uses:
 * - `node probe.mjs serve`: the identity server, the pod's main process;
 * - `node probe.mjs batches`: runs each batch that comes as a line of JSON on standard input, several at once, until that ends. Prints one line per result,
 *   `<nonce> <JSON>`, and last `<nonce> {"end":<number of results>}`. A stream that breaks off therefore never looks whole.
 */
import type { ProbeBatch } from './protocol.ts'
import { runBatch } from './run-probe.ts'
import { serveIdentity } from './serve.ts'

const identity = { pod: process.env['POD_NAME'] ?? '', node: process.env['NODE_NAME'] ?? '' }

async function answer(batch: ProbeBatch): Promise<void> {
  const say = (record: object): void => {
    process.stdout.write(`${batch.nonce} ${JSON.stringify(record)}\n`)
  }
  let count = 0
  await runBatch(batch, identity, (result) => {
    count += 1
    say(result)
  })
  say({ end: count })
}

if (process.argv[2] === 'serve') {
  serveIdentity(identity)
} else if (process.argv[2] === 'batches') {
  let rest = ''
  process.stdin.setEncoding('utf8').on('data', (piece: string) => {
    // Not by node:readline, which also ends lines at characters that JSON holds as they are.
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) void answer(JSON.parse(line) as ProbeBatch)
  })
} else {
  process.stderr.write('usage: probe.mjs serve, or probe.mjs batches\n')
  process.exitCode = 2
}
