import { CancelledError, CommandError, InputError, messageOf, ToolkitError } from '../process/errors.ts'
import { nearestName } from '../process/nearest-name.ts'
import { endPrograms } from '../process/tracked-exec.ts'
import { timelineTable } from '../report/timeline.ts'
import { type Command, parseArguments, renderHelp } from './arguments.ts'
import { type CliHost, createCliHost } from './cli-host.ts'
import { type CommandName, commands, renderUsage } from './commands.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { RunCommand } from './run-command.ts'

/** Each command loads only what it needs: `--help` must not cost half a second. */
const runners: Readonly<Record<CommandName, () => Promise<RunCommand>>> = {
  up: async () => (await import('./up.ts')).up,
  down: async () => (await import('./down.ts')).down,
  status: async () => (await import('./status.ts')).status,
  plan: async () => (await import('./plan.ts')).plan,
  assert: async () => (await import('./assert.ts')).assert,
  'load-images': async () => (await import('./load-images.ts')).loadImagesCommand,
  deploy: async () => (await import('./deploy.ts')).deployCommand,
  doctor: async () => (await import('./doctor.ts')).doctor,
  images: async () => (await import('./images.ts')).images,
}

process.exit(await main(process.argv.slice(2)))

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === 'help') {
    process.stdout.write(`${renderUsage()}\n`)
    return name === undefined ? exitCodes.input : exitCodes.ok
  }
  const command: Command | undefined = commands.find((entry) => entry.name === name)
  if (command === undefined) {
    const known = commands.map((entry) => entry.name)
    const near = nearestName(name, known)
    const error = new InputError([
      {
        name: 'command',
        value: name,
        problem: `is not known${near === undefined ? '' : `; did you mean ${near}?`}`,
        allowed: known.join(', '),
      },
    ])
    process.stderr.write(`${renderError(error, false)}\n`)
    return exitCodes.input
  }
  if (rest.includes('--help')) {
    process.stdout.write(`${renderHelp(command)}\n`)
    return exitCodes.ok
  }
  return run(command, rest)
}

async function run(command: Command, argv: readonly string[]): Promise<number> {
  const cancel = new AbortController()
  let host: CliHost | undefined
  let verbose = false
  let signals = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    // The second one means it: whatever is recorded can still be removed by `down`.
    signals += 1
    if (signals > 1) {
      host?.exec.kill()
      host?.dispose()
      process.exit(exitCodes.cancelled)
    }
    host?.log.warning(`${signal} received: stopping; once more to stop at once`)
    cancel.abort(new CancelledError(`cancelled by ${signal}`))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  process.on('SIGHUP', onSignal)
  const print = (text: string): void => void process.stdout.write(`${host?.log.masked(text) ?? text}\n`)
  // What programs and pods have said may hold what was given as a secret. Before there is a host, nothing was.
  const tell = (text: string): void =>
    host === undefined ? void process.stderr.write(`${text}\n`) : host.log.plain(text)
  try {
    const parsed = parseArguments(command, argv)
    verbose = parsed.flags['verbose'] === true
    host = createCliHost({ verbose, signal: cancel.signal })
    const runner = await runners[command.name as CommandName]()
    const code = await runner(host, command, parsed, print)
    printTimeline(host, print)
    // What a cancelled run has found out is not its answer.
    return cancel.signal.aborted ? exitCodes.cancelled : code
  } catch (error) {
    if (host !== undefined) printTimeline(host, tell)
    tell(renderError(error, verbose))
    return cancel.signal.aborted ? exitCodes.cancelled : exitCodeOf(error)
  } finally {
    await endPrograms(host?.exec, cancel)
    host?.dispose()
  }
}

/** What took how long, of every run that did something. */
function printTimeline(host: CliHost, print: (text: string) => void): void {
  const timings = host.timings.entries()
  if (timings.length > 0) print(`\n${timelineTable(timings)}`)
}

/** What happened, what to do, then what a person would look at next. */
function renderError(error: unknown, verbose: boolean): string {
  const lines = [`error: ${messageOf(error)}`]
  if (error instanceof ToolkitError) {
    if (error.hint !== undefined) lines.push(`hint: ${error.hint}`)
    if (!(error instanceof CommandError) || verbose) lines.push(...error.diagnostics.map((line) => `  | ${line}`))
    lines.push(`(${error.code}, see docs/errors.md)`)
  }
  const unexpected = !(error instanceof ToolkitError)
  if ((unexpected || verbose) && error instanceof Error && error.stack !== undefined) lines.push(error.stack)
  for (let cause = (error as Error).cause; cause instanceof Error; cause = cause.cause)
    lines.push(`caused by: ${cause.message}`)
  return lines.join('\n')
}
