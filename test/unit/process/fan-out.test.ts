import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/process/clock.ts'
import { createExec } from '../../../src/process/exec.ts'
import { fanOut } from '../../../src/process/fan-out.ts'
import { silentLogger } from '../../../src/process/log.ts'

const chunks = Array.from({ length: 64 }, (_, index) => Buffer.alloc(32_768, index))
const whole = Buffer.concat(chunks)

const collect = async (branch: Readable): Promise<Buffer> => Buffer.concat(await branch.toArray())

describe('one stream for several readers', () => {
  it('gives each of them everything', async () => {
    const { input, branches } = fanOut(3)
    const [, ...got] = await Promise.all([pipeline(Readable.from(chunks), input), ...branches.map(collect)])
    for (const text of got) expect(whole.equals(text as Buffer)).toBe(true)
  })

  it('goes on for the others when one goes away in the middle', async () => {
    const { input, branches } = fanOut(2)
    const [first, second] = branches as [Readable, Readable]
    first.once('data', () => first.destroy())
    const [, got] = await Promise.all([pipeline(Readable.from(chunks), input), collect(second)])
    expect(whole.equals(got)).toBe(true)
  })

  it('waits for the slowest instead of keeping what it has not read', async () => {
    const { input, branches } = fanOut(2)
    let sent = 0
    const source = Readable.from(
      (function* () {
        for (const chunk of chunks) {
          sent += chunk.length
          yield chunk
        }
      })(),
    )
    const done = pipeline(source, input)
    const [fast, slow] = branches as [Readable, Readable]
    const got = collect(fast)
    // As far as it goes without the other reader.
    await new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))))
    expect(sent).toBeLessThan(whole.length / 4)
    const late = collect(slow)
    await Promise.all([done, got, late])
  })

  it('ends the source when nobody reads any more, and the readers when the source fails', async () => {
    const gone = fanOut(1)
    gone.branches[0]?.destroy()
    await expect(pipeline(Readable.from(chunks), gone.input)).rejects.toThrow('nobody reads any more')
    const broken = fanOut(1)
    const read = collect(broken.branches[0] as Readable)
    broken.input.destroy(new Error('the source broke'))
    await expect(read).rejects.toThrow('the source broke')
  })
})

describe('streams of programs', () => {
  const exec = createExec({ log: silentLogger, clock: systemClock, env: { PATH: process.env['PATH'] ?? '' } })

  it('carries one program’s output into others, whole', async () => {
    const { input, branches } = fanOut(2)
    const counting = branches.map((branch) => exec.run('wc', ['-c'], { input: branch }))
    await exec.run('head', ['-c', '3000000', '/dev/zero'], { output: input })
    for (const { stdout } of await Promise.all(counting)) expect(stdout.trim()).toBe('3000000')
  })

  it('a program that ends without reading fails by its own exit code', async () => {
    const endless = new Readable({ read: (size) => void endless.push(Buffer.alloc(size)) })
    await expect(exec.run('false', [], { input: endless })).rejects.toMatchObject({ exitCode: 1 })
    expect(endless.destroyed).toBe(true)
  })
})
