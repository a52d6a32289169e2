/**
 * `npm run check`: everything that needs no cluster. Runs two at a time, prints what failed and a table, and fails if anything did. Names given run only those.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { repositoryRoot } from './repository.ts'

interface Step {
  readonly name: string
  readonly what: string
  readonly args: readonly string[]
}

const inModules = (...parts: string[]): string => path.join(repositoryRoot, 'node_modules', ...parts)
const script = (name: string, ...args: string[]): string[] => [
  path.join(repositoryRoot, 'scripts', `${name}.ts`),
  ...args,
]
const vitest = (folder: string): string[] => [inModules('vitest', 'vitest.mjs'), 'run', '--project', 'unit', folder]
const biome = (...args: string[]): string[] => [inModules('@biomejs', 'biome', 'bin', 'biome'), ...args, '.']

/** Long ones first, so that they do not stand alone at the end. All run under this Node. */
const steps: readonly Step[] = [
  { name: 'unit', what: 'units with fakes', args: vitest('test/unit') },
  { name: 'contract', what: 'code, action.yml, README and examples agree', args: vitest('test/contract') },
  { name: 'bundles', what: 'each bundle, as the runner starts it', args: vitest('test/dist') },
  { name: 'types', what: 'TypeScript, strict', args: [inModules('typescript', 'bin', 'tsc'), '--noEmit'] },
  { name: 'dist', what: 'dist/ is what the source says, byte for byte', args: script('build', '--check') },
  { name: 'workflows', what: 'actionlint and zizmor on workflows and actions', args: script('lint-workflows') },
  { name: 'generated', what: 'generated files are up to date', args: script('generate', '--check') },
  { name: 'imports', what: 'dependencies point one way', args: script('check-imports') },
  { name: 'format', what: 'biome', args: biome('format') },
  { name: 'lint', what: 'biome', args: biome('lint', '--error-on-warnings') },
]

interface Outcome {
  readonly step: Step
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name))
if (unknown.length > 0) {
  console.error(`no check named ${unknown.join(', ')}; there are: ${steps.map((step) => step.name).join(', ')}`)
  process.exit(2)
}
const queue = steps.filter((step) => wanted.length === 0 || wanted.includes(step.name))
const outcomes: Outcome[] = []
const lanes = Math.max(1, Math.min(queue.length, Math.floor(availableParallelism() / 2) + 1))
const waiting = [...queue]
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const outcome = await run(step)
      outcomes.push(outcome)
      if (!outcome.ok) process.stdout.write(`\n=== ${step.name} failed\n${outcome.output.trimEnd()}\n`)
    }
  }),
)

process.stdout.write('\n')
for (const step of queue) {
  const outcome = outcomes.find((entry) => entry.step === step)
  const verdict = outcome?.ok === true ? 'ok    ' : 'FAILED'
  process.stdout.write(
    `${verdict}  ${step.name.padEnd(10)} ${`${outcome?.seconds.toFixed(1)} s`.padStart(8)}  ${step.what}\n`,
  )
}
const failed = queue.length - outcomes.filter((outcome) => outcome.ok).length
process.stdout.write(`${queue.length - failed} checks passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)

function run(step: Step): Promise<Outcome> {
  const started = performance.now()
  const chunks: Buffer[] = []
  return new Promise((resolve) => {
    const end = (ok: boolean, more = ''): void =>
      resolve({
        step,
        ok,
        seconds: (performance.now() - started) / 1000,
        output: `${Buffer.concat(chunks).toString()}${more}`,
      })
    const child = spawn(process.execPath, [...step.args], { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', (error) => end(false, error.message))
    child.on('close', (code) => end(code === 0))
  })
}
