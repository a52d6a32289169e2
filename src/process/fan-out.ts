import { once } from 'node:events'
import { PassThrough, type Readable, Writable } from 'node:stream'

/**
 * One stream for several readers, at the pace of the slowest and with nothing kept. A branch that is destroyed falls out and the others go on; when none is left, or
 * the source fails, writing ends with an error.
 */
export function fanOut(count: number): { readonly input: Writable; readonly branches: readonly Readable[] } {
  const branches = Array.from({ length: count }, () => new PassThrough())
  // Why a branch fell out is told by whoever reads it.
  for (const branch of branches) branch.on('error', () => {})
  const alive = (): PassThrough[] => branches.filter((branch) => !branch.destroyed)
  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const waiting = alive()
        .filter((branch) => !branch.write(chunk))
        .map(roomIn)
      Promise.all(waiting).then(
        () => done(alive().length === 0 ? new Error('nobody reads any more') : null),
        (error: unknown) => done(error as Error),
      )
    },
    final(done) {
      for (const branch of alive()) branch.end()
      done()
    },
    destroy(error, done) {
      if (error !== null) for (const branch of alive()) branch.destroy(error)
      done(error)
    },
  })
  input.on('error', () => {})
  return { input, branches }
}

async function roomIn(branch: PassThrough): Promise<void> {
  const abort = new AbortController()
  const { signal } = abort
  await Promise.race([once(branch, 'drain', { signal }), once(branch, 'close', { signal })]).catch(() => {})
  abort.abort()
}
