import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { recordStep, renderReliability } from './render-reliability.ts'
import { repositoryRoot } from './repository.ts'

/**
 * `npm test`: everything, the real cluster included, on this machine. Ends with `N passed, N failed`; what crashes, or runs nothing, counts as failed.
 * `--nightly` adds the full matrices and a machine without an engine, from nothing and back, lets tests with generated input try more of it, and writes
 * docs/reliability.md. Names may be given to run only those: a step, or one file of it as `nightly/life-cycle`; results of others are kept then, so that what was red can
 * be run alone and the page be made of the parts.
 */
interface Counts {
  passed: number
  failed: number
  /** Told, and in a nightly run, which is to try everything, failed. */
  skipped?: number
}

interface Step {
  readonly name: string
  /** `files`: names of test files to which the step is narrowed; none means all. */
  readonly run: (files: readonly string[]) => Promise<Counts>
}

const nightly = process.argv.includes('--nightly')
const wanted = process.argv
  .slice(2)
  .filter((argument) => !argument.startsWith('--'))
  .map((name) => {
    const [step = '', ...file] = name.split('/')
    return { name, step, file: file.join('/') }
  })
/** Results tell by it which of them were made together. */
const started = new Date().toISOString()
const marks = {
  K8S_PLATFORM_TEST_RUN: started,
  K8S_PLATFORM_TEST_COMMIT: commit(),
}
const goModules = ['images/node-network', 'images/capless-runtime', 'voting-app/worker']
/** Reports of the last run, for whoever looks into a red one; CI uploads them. */
const results = path.join(repositoryRoot, 'test-results')

const steps: readonly Step[] = [
  { name: 'check', run: checks },
  // What `npm run check` has of units, contracts and bundles: here every test of theirs counts.
  { name: 'unit', run: (files: readonly string[]) => vitest('unit', files) },
  // The worker's own tests need servers, which the voting app's step starts.
  ...goModules
    .filter((folder) => folder !== 'voting-app/worker')
    .map((folder) => ({ name: folder, run: () => goTest(folder) })),
  { name: 'voting-app', run: votingApp },
  { name: 'e2e', run: (files: readonly string[]) => vitest('e2e', files) },
  ...(nightly
    ? [
        { name: 'nightly', run: (files: readonly string[]) => vitest('nightly', files) },
        { name: 'bench', run: () => counted('bench.ts', [], /^(\d+) passed, (\d+) failed$/) },
        { name: 'from-nothing', run: (files: readonly string[]) => vitest('from-nothing', files) },
      ]
    : []),
]

const whole = wanted.length === 0
const unknown = wanted.filter(
  ({ name, step }) => ![name, step].some((one) => steps.some((known) => known.name === one)),
)
if (unknown.length > 0) {
  const names = unknown.map(({ name }) => name).join(', ')
  process.stderr.write(`no step ${names}; there are: ${steps.map((step) => step.name).join(', ')}\n`)
  process.exit(2)
}
const selected = steps.filter(({ name }) => whole || wanted.some((one) => one.name === name || one.step === name))
if (whole) rmSync(results, { recursive: true, force: true })
mkdirSync(results, { recursive: true })
const rows: { name: string; counts: Counts; seconds: number }[] = []
for (const step of selected) {
  process.stdout.write(`\n=== ${step.name}\n`)
  const began = performance.now()
  const files = wanted.filter((one) => one.step === step.name && one.name !== step.name).map(({ file }) => file)
  const counts = await step.run(files).catch((error: unknown): Counts => {
    process.stdout.write(`${step.name}: ${error instanceof Error ? error.message : String(error)}\n`)
    return { passed: 0, failed: 1 }
  })
  // A step that ran nothing proves nothing.
  if (counts.passed + counts.failed === 0) counts.failed = 1
  const skipped = counts.skipped ?? 0
  if (nightly) counts.failed += skipped
  const seconds = (performance.now() - began) / 1000
  rows.push({ name: step.name, counts, seconds })
  recordStep({
    name: [step.name, ...files].join(' '),
    ...counts,
    skipped,
    seconds,
    date: started.slice(0, 10),
    commit: marks.K8S_PLATFORM_TEST_COMMIT,
  })
}

const total = rows.reduce(
  (sum, row) => ({ passed: sum.passed + row.counts.passed, failed: sum.failed + row.counts.failed }),
  { passed: 0, failed: 0 },
)
process.stdout.write('\n')
for (const row of rows) {
  process.stdout.write(
    `${row.counts.failed === 0 ? 'ok    ' : 'FAILED'}  ${row.name.padEnd(26)}${String(row.counts.passed).padStart(5)} passed ${String(row.counts.failed).padStart(3)} failed ${row.seconds.toFixed(0).padStart(5)} s${row.counts.skipped ? `, ${row.counts.skipped} skipped` : ''}\n`,
  )
}
const page = await renderReliability({ nightly, whole })
if (page !== undefined) process.stdout.write(`drills: ${path.relative(repositoryRoot, page)}\n`)
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
process.exit(total.failed === 0 ? 0 : 1)

async function vitest(project: string, files: readonly string[]): Promise<Counts> {
  const file = path.join(results, `${project}.json`)
  const code = await run(process.execPath, [
    path.join(repositoryRoot, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...files,
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    '--reporter=junit',
    `--outputFile.json=${file}`,
    `--outputFile.junit=${path.join(results, `${project}.xml`)}`,
  ])
  const report = JSON.parse(readFileSync(file, 'utf8')) as {
    numPassedTests: number
    numFailedTests: number
    numPendingTests: number
    numTodoTests: number
    success: boolean
  }
  // A file that does not load has no tests to count; an unhandled error fails none of them.
  const failed = Math.max(report.numFailedTests, code === 0 && report.success ? 0 : 1)
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests }
}

/** Counts the tests, not the packages, out of `go test -json`; vet's findings fail the step. */
async function goTest(folder: string): Promise<Counts> {
  const cwd = path.join(repositoryRoot, folder)
  const counts: Counts = { passed: 0, failed: 0 }
  const output = new Map<string, string[]>()
  if ((await run('go', ['vet', './...'], { cwd })) !== 0) counts.failed += 1
  const code = await run('go', ['test', '-json', './...'], {
    cwd,
    onLine(line) {
      const event = parse(line)
      if (event === undefined) return
      const key = `${event.Package} ${event.Test ?? ''}`
      if (event.Action === 'output') output.set(key, [...(output.get(key) ?? []), event.Output ?? ''])
      if (event.Test === undefined) return
      if (event.Action === 'pass') counts.passed += 1
      if (event.Action === 'fail') {
        counts.failed += 1
        process.stdout.write(`FAILED ${key}\n${(output.get(key) ?? []).join('')}`)
      }
    },
  })
  if (code !== 0 && counts.failed === 0) {
    counts.failed = 1
    process.stdout.write([...output.values()].flat().slice(-40).join(''))
  }
  process.stdout.write(`${folder}: ${counts.passed} passed, ${counts.failed} failed\n`)
  return counts
}

function parse(line: string): { Action: string; Package: string; Test?: string; Output?: string } | undefined {
  try {
    return JSON.parse(line) as { Action: string; Package: string; Test?: string; Output?: string }
  } catch {
    // A compiler's message.
    process.stdout.write(`${line}\n`)
    return undefined
  }
}

/** Empty for a copy without its history. */
function commit(): string {
  const { stdout } = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: repositoryRoot, encoding: 'utf8' })
  return stdout.trim()
}

/** Each check that is not vitest's counts as one test. */
function checks(): Promise<Counts> {
  const names = ['types', 'dist', 'workflows', 'generated', 'imports', 'format', 'lint']
  return counted('check.ts', names, /^(\d+) checks passed, (\d+) failed$/)
}

function votingApp(): Promise<Counts> {
  return counted('test-voting-app.mjs', [], /(\d+) passed, (\d+) failed/)
}

/** Runs a script of this folder and adds up what its output says: `pattern` finds the numbers of passed and failed in a line. */
async function counted(script: string, args: readonly string[], pattern: RegExp): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 }
  const code = await run(process.execPath, [path.join(repositoryRoot, 'scripts', script), ...args], {
    onLine(line) {
      process.stdout.write(`${line}\n`)
      const found = pattern.exec(line)
      if (found === null) return
      counts.passed += Number(found[1])
      counts.failed += Number(found[2])
    },
  })
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; onLine?: (line: string) => void } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? repositoryRoot,
      stdio: ['ignore', options.onLine === undefined ? 'inherit' : 'pipe', 'inherit'],
      env: { ...process.env, ...marks, K8S_PLATFORM_NIGHTLY: nightly ? '1' : '' },
    })
    let rest = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) options.onLine?.(line)
    })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}
