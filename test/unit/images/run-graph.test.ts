import { describe, expect, it } from 'vitest'
import { criticalPaths, type GraphTask, Lane, runGraph } from '../../../src/images/run-graph.ts'

const task = (name: string, needs: string[], seconds: number, run: GraphTask['run'] = async () => {}): GraphTask => ({
  name,
  needs,
  seconds,
  run,
})
const never = new AbortController().signal

describe('runGraph', () => {
  it('runs a task only after what it needs, and starts the longest way first', async () => {
    const order: string[] = []
    const lane = new Lane(1)
    const note =
      (name: string): GraphTask['run'] =>
      (priority) =>
        lane.run(priority, async () => {
          order.push(name)
          // Long enough that what has waited for the one before asks too.
          await new Promise((resolve) => setImmediate(resolve))
        })
    await runGraph(
      [
        task('short', [], 1, note('short')),
        task('node', ['kubernetes'], 10, note('node')),
        task('middle', [], 50, note('middle')),
        task('kubernetes', [], 45, note('kubernetes')),
      ],
      never,
    )
    expect(order).toEqual(['kubernetes', 'middle', 'node', 'short'])
  })

  it('cancels the others when one fails, and rejects with the first error', async () => {
    const ran: string[] = []
    const failing = task('bad', [], 1, async () => {
      throw new Error('compiler says no')
    })
    const long = task(
      'long',
      [],
      1,
      (_priority, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            ran.push('long cancelled')
            reject(signal.reason)
          })
        }),
    )
    const after = task('after', ['bad'], 1, async () => void ran.push('after'))
    await expect(runGraph([long, failing, after], never)).rejects.toThrow('compiler says no')
    expect(ran).toEqual(['long cancelled'])
  })

  it('counts the seconds of the longest chain that waits', () => {
    const paths = criticalPaths([task('a', [], 5), task('b', ['a'], 10), task('c', ['a'], 3), task('d', ['b'], 1)])
    expect(Object.fromEntries(paths)).toEqual({ a: 16, b: 11, c: 3, d: 1 })
  })
})

describe('Lane', () => {
  it('lets as many in as it is wide, and the most urgent next', async () => {
    const lane = new Lane(2)
    let inside = 0
    let most = 0
    const order: number[] = []
    const body = (priority: number) => async () => {
      order.push(priority)
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
    }
    await Promise.all([1, 2, 3, 9, 5].map((priority) => lane.run(priority, body(priority))))
    expect(most).toBe(2)
    expect(order).toEqual([1, 2, 9, 5, 3])
  })

  it('is free again after a failure', async () => {
    const lane = new Lane(1)
    await expect(lane.run(0, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await expect(lane.run(0, async () => 'yes')).resolves.toBe('yes')
  })
})
