import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { repository } from '../../support/test-host.ts'

const platform = `node-${process.platform}-${process.arch}`

/** A checkout with scripts/run.mjs, a program to run, and an npm that counts its calls and "installs" this Node. */
function checkout(npm: 'works' | 'fails' = 'works'): { root: string; bin: string; calls: () => number } {
  const root = mkdtempSync(path.join(tmpdir(), 'k8s-platform-run-'))
  const bin = path.join(root, 'bin')
  for (const folder of ['scripts', 'dist', 'bin']) mkdirSync(path.join(root, folder))
  cpSync(path.join(repository, 'scripts', 'run.mjs'), path.join(root, 'scripts', 'run.mjs'))
  writeFileSync(path.join(root, 'package.json'), '{"type":"module"}')
  writeLock(root, '1.0.0')
  writeFileSync(
    path.join(bin, 'npm'),
    `#!${process.execPath}
import { appendFileSync, cpSync, mkdirSync, symlinkSync, rmSync } from 'node:fs'
appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n')
if (${JSON.stringify(npm)} === 'fails') { console.error('npm error network'); process.exit(7) }
rmSync('node_modules', { recursive: true, force: true })
mkdirSync('node_modules/${platform}/bin', { recursive: true })
symlinkSync(${JSON.stringify(process.execPath)}, 'node_modules/${platform}/bin/node')
cpSync('package-lock.json', 'node_modules/.package-lock.json')
`,
    { mode: 0o755 },
  )
  writeFileSync(
    path.join(root, 'dist', 'cli.js'),
    `// Who reads the line may send the signal at once: the handler stands before it.
if (process.argv[2] === 'wait') process.on('SIGTERM', () => { console.log('told to stop'); process.exit(130) })
console.log(JSON.stringify({ args: process.argv.slice(2), first: process.env.PATH.split(':')[0] }))
if (process.argv[2] === 'exit') process.exit(Number(process.argv[3]))
if (process.argv[2] === 'wait') {
  setInterval(() => {}, 1000)
}
if (process.argv[2] === 'die') process.kill(process.pid, 'SIGKILL')
`,
  )
  writeFileSync(
    path.join(root, 'scripts', 'hello.ts'),
    "const name: string = 'typed'\nconsole.log(name, process.argv[2])\n",
  )
  const calls = path.join(root, 'npm-calls')
  return { root, bin, calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n').length : 0) }
}

function writeLock(root: string, version: string): void {
  const lock = { lockfileVersion: 3, packages: { 'node_modules/a': { version, integrity: `sha512-${version}` } } }
  writeFileSync(path.join(root, 'package-lock.json'), JSON.stringify(lock))
}

function run(
  { root, bin }: { root: string; bin: string },
  args: readonly string[],
  onOutput: (child: ChildProcess, text: string) => void = () => {},
): Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, 'scripts', 'run.mjs'), ...args], {
      cwd: tmpdir(),
      env: { PATH: bin, HOME: root },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const text = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk: Buffer) => {
      text.stdout += chunk.toString()
      onOutput(child, text.stdout)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      text.stderr += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...text }))
  })
}

describe('packages', () => {
  test('are installed once and then quietly found', async () => {
    const place = checkout()
    const first = await run(place, ['cli', 'up'])
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('npm ci') })
    const second = await run(place, ['cli', 'up'])
    expect(second).toMatchObject({ code: 0, stderr: '' })
    expect(place.calls()).toBe(1)
  })

  test('are installed again when the lock says something else', async () => {
    const place = checkout()
    await run(place, ['cli', 'up'])
    writeLock(place.root, '2.0.0')
    await run(place, ['cli', 'up'])
    expect(place.calls()).toBe(2)
  })

  test('that somebody installed by hand are not installed again', async () => {
    const place = checkout()
    await run(place, ['cli', 'up'])
    writeFileSync(path.join(place.root, 'node_modules', '.k8s-platform-lock'), 'another machine')
    expect(await run(place, ['cli', 'up'])).toMatchObject({ code: 0, stderr: '' })
    expect(place.calls()).toBe(1)
  })

  test('that cannot be installed are the error, and the next run tries again', async () => {
    const place = checkout('fails')
    const result = await run(place, ['cli', 'up'])
    expect(result).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('npm ci failed') })
    await run(place, ['cli', 'up'])
    expect(place.calls()).toBe(2)
  })
})

describe('the program', () => {
  test('gets its arguments as they are, under the Node of the packages', async () => {
    const place = checkout()
    const { stdout } = await run(place, ['cli', 'up', '--x=$(id); `id`', ''])
    expect(JSON.parse(stdout)).toEqual({
      args: ['up', '--x=$(id); `id`', ''],
      first: path.join(place.root, 'node_modules', platform, 'bin'),
    })
  })

  test.each([0, 1, 5, 130])('ends with its own exit code: %i', async (code) => {
    expect((await run(checkout(), ['cli', 'exit', String(code)])).code).toBe(code)
  })

  test('is told to stop when we are, and has the last word', async () => {
    const result = await run(checkout(), ['cli', 'wait'], (child, text) => {
      if (text.includes('args') && !child.killed) child.kill('SIGTERM')
    })
    expect(result).toMatchObject({ code: 130, stdout: expect.stringContaining('told to stop') })
  })

  test('that is killed is not taken for success', async () => {
    expect(await run(checkout(), ['cli', 'die'])).toMatchObject({ signal: 'SIGKILL' })
  })

  test('may be a script with types', async () => {
    expect(await run(checkout(), ['script', 'hello', 'world'])).toMatchObject({ code: 0, stdout: 'typed world\n' })
  })

  test.each([[[]], [['script']], [['script', '../x']], [['nonsense']]])(
    '%j is refused with the usage',
    async (args) => {
      const place = checkout()
      expect(await run(place, args)).toMatchObject({ code: 1, stderr: expect.stringContaining('usage:') })
      expect(place.calls()).toBe(0)
    },
  )

  test('that does not exist is named', async () => {
    expect(await run(checkout(), ['script', 'gone'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('scripts/gone.ts does not exist'),
    })
  })
})
