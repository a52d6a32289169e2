import { execFileSync } from 'node:child_process'
import { messageOf } from '../../src/process/errors.ts'
import {
  clusterJob,
  type Fault,
  faultMeaning,
  type LifeCycleHost,
  leftOf,
  type Phase,
  phases,
  presentLimits,
  type RecordAtStrike,
  recordOf,
  type Surroundings,
  stateFolder,
  strike,
  surroundings,
} from './life-cycle.ts'
import type { FaultRow } from './prove-fault.ts'
import type { JobRun, RunnerJob } from './runner.ts'

/** One row of the matrix: where it is hit and how, and what must be true then. */
export interface Drill {
  readonly phase: keyof typeof phases
  readonly fault: Fault
}

/** What every drill must show; the table of docs/reliability.md quotes it. */
export function expectationOf({ fault }: Drill): string {
  return fault === 'runner killed' || fault === 'worker killed'
    ? 'the next run of that name removes what is left, and leaves nothing itself'
    : `${fault === 'cancelled' ? 'the step ends within 7.5 s; ' : ''}the post step leaves nothing`
}

/**
 * Every fault in every phase; but a post step is not cancelled by the runner, and has nothing running beside it, and a step that outlives its worker is the same anywhere
 * while programs run.
 */
export function drillsOf(): Drill[] {
  const faults = Object.keys(faultMeaning) as Fault[]
  return (Object.keys(phases) as (keyof typeof phases)[]).flatMap((phase) =>
    faults
      .filter((fault) => phase !== 'teardown' || fault === 'step killed' || fault === 'runner killed')
      .filter((fault) => fault !== 'worker killed' || phase === 'nodes' || phase === 'readiness')
      .map((fault) => ({ phase, fault })),
  )
}

export function drillName({ phase, fault }: Drill): string {
  return `${phases[phase].name}: ${faultMeaning[fault]}`
}

/**
 * After these the next run makes its cluster to the end: the most that can be in the way of another of that name, and a removal half done. After the others it is enough
 * that the host is as before: then there is nothing that could make a difference.
 */
const toTheEnd = new Set(['nodes/step and its programs killed', 'kubeadm/step killed', 'teardown/step killed'])

export function runsToTheEnd({ phase, fault }: Drill): boolean {
  return toTheEnd.has(`${phase}/${fault}`)
}

/** The row of the matrix. */
export function lifeCycleRow(drill: Drill): FaultRow {
  const expected = `${expectationOf(drill)}${runsToTheEnd(drill) ? '; the next run is green' : ''}`
  return { section: 'life cycle', fault: drillName(drill), expected }
}

/**
 * The part of the matrix in which a run makes or removes what clusters share: the network, its seal, the raised limits and the rules of published ports. Beside another
 * cluster none of it is made, and none goes; these run where there is no other.
 */
export const loneDrills: readonly Drill[] = [
  { phase: 'recorded', fault: 'step killed' },
  ...drillsOf().filter(({ phase }) => phase === 'network' || phase === 'teardown'),
  // The network and its seal are there for certain, and nothing is on it yet.
  { phase: 'registry', fault: 'runner killed' },
  { phase: 'nodes', fault: 'cancelled' },
  { phase: 'nodes', fault: 'step and its programs killed' },
]

/** Of `npm test`; the nightly run has all of them. */
export const sampledLoneDrills: readonly Drill[] = [
  { phase: 'registry', fault: 'runner killed' },
  { phase: 'nodes', fault: 'cancelled' },
]

export function loneRow(drill: Drill): FaultRow {
  const { section, fault, expected } = lifeCycleRow(drill)
  return {
    section,
    fault: `${fault}; no other cluster on the host`,
    expected: `${expected}: no network, no seal, no rule, no raised limit`,
  }
}

/** Changes to the jobs of a drill. */
export interface DrillOptions {
  readonly env?: Readonly<Record<string, string>>
  /** There is no other cluster on the host (lone-host.ts), and what clusters share is looked for too. */
  readonly alone?: true
  /** The next run makes its cluster to the end instead of being cancelled once the host is clean. */
  readonly full?: true
}

/**
 * Strikes, lets the post step or the next run clean up, and looks. Resolves with what was wrong, empty when the drill held.
 */
export async function runDrill(
  host: LifeCycleHost,
  { phase, fault }: Drill,
  options: DrillOptions = {},
): Promise<string[]> {
  const before = await surroundings(options)
  const where: Phase = phases[phase]
  const changes = options.env === undefined ? {} : { env: options.env }
  const job = clusterJob(host, where.with, changes)
  let atStrike: RecordAtStrike | undefined
  let shared: SharedAtStrike = { raised: false, rules: false }
  const run = await strike(job, where, fault, () => {
    atStrike = recordOf(host, options.env?.['K8S_PLATFORM_STATE_DIR'] ?? stateFolder(host))
    if (options.alone) shared = sharedAtStrike(before, phase)
  })
  const wrong = wrongWithStrike({ phase, fault }, run, atStrike)
  if (run !== undefined && where.step === 'Main cluster') wrong.push(...wrongWith(run, fault))
  const uncleaned = run === undefined || where.step === 'Post cluster'
  const ports = atStrike?.ports ?? []
  const left = uncleaned ? await leftOf(host, before, ports) : []
  // Otherwise there would be nothing to clean up, and the drill would show nothing.
  if (run === undefined && phase !== 'preflight' && left.length === 0) wrong.push('the killed run had left nothing')
  if (options.alone) wrong.push(...wrongAlone(phase, shared, uncleaned ? left : undefined))
  // A post step that was killed, or never ran: whoever comes next on this host.
  if (uncleaned || options.full) wrong.push(...(await nextRun(host, changes, options.full)))
  wrong.push(...(await leftOf(host, before, ports)))
  return wrong.length === 0 ? [] : [...wrong, `log: ${job.log().slice(-3_000)}`]
}

/** What clusters share, as it was when the run was struck. */
interface SharedAtStrike {
  readonly raised: boolean
  readonly rules: boolean
}

/** It must not hold up the strike where that hits something which goes by in a moment: the limits are read in no time, the rules only where nodes are being created. */
function sharedAtStrike(before: Surroundings, phase: Drill['phase']): SharedAtStrike {
  const rules = phase === 'nodes' ? execFileSync('iptables-save', { encoding: 'utf8' }).split('\n') : []
  return {
    raised: presentLimits().some((limit) => !before.limits.includes(limit)),
    rules: rules.some((rule) => rule.includes(' --dport ') && before.rules?.includes(rule) === false),
  }
}

/**
 * A drill on a host without other clusters shows nothing where the run had not made what is shared.
 * @param left what a run has left that nobody has cleaned up after yet; undefined where its post step has
 */
export function wrongAlone(
  phase: Drill['phase'],
  { raised, rules }: SharedAtStrike,
  left: readonly string[] | undefined,
): string[] {
  if (phase === 'preflight' || phase === 'recorded') return []
  return [
    ...(raised ? [] : ['no limit had been raised when it was struck']),
    ...(rules || phase !== 'nodes' ? [] : ['no port had been published when it was struck']),
    ...(left === undefined || left.some((line) => line.startsWith('limit '))
      ? []
      : ['the raised limits were not left']),
  ]
}

/** Phases before a network is on record: a kill there may find nothing. */
const early: readonly Drill['phase'][] = ['preflight', 'recorded', 'network']

/** A drill whose fault did not happen, or found nothing to leave behind, shows nothing, however clean the host is afterwards. */
export function wrongWithStrike(
  { phase, fault }: Drill,
  run: JobRun | undefined,
  atStrike: Pick<RecordAtStrike, 'network'> | undefined,
): string[] {
  if (fault === 'cancelled') return []
  const stage = phases[phase].step === 'Main cluster' ? 'Main' : 'Post'
  const struck = run?.steps.find((step) => step.stage === stage)
  return [
    ...(run === undefined || struck?.signal === 'SIGKILL'
      ? []
      : [`the step was not killed: it ended with ${struck?.code ?? struck?.signal ?? 'nothing'}`]),
    ...(early.includes(phase) || atStrike?.network === true ? [] : ['nothing had been made when it was killed']),
  ]
}

/** What a run that was struck should not show, though nothing is left of it. */
export function wrongWith(run: JobRun, fault: Fault): string[] {
  const main = run.steps.find(({ stage }) => stage === 'Main')
  const post = run.steps.find(({ stage }) => stage === 'Post')
  const errors = main?.commands.filter(({ name }) => name === 'error') ?? []
  const warnings = post?.commands.filter(({ name }) => name === 'error' || name === 'warning') ?? []
  return [
    ...(post?.code === 0 ? [] : [`the post step ended with ${post?.code ?? post?.signal}`]),
    ...warnings.map(({ message }) => `the post step warned: ${message}`),
    ...(fault === 'cancelled'
      ? [
          ...(main?.sent.join() === 'SIGINT' ? [] : [`the step needed ${main?.sent.join(', ')}`]),
          ...(main?.code === 130 ? [] : [`the cancelled step ended with ${main?.code ?? main?.signal}`]),
          ...errors.map(({ message }) => `a cancelled step told an error: ${message}`),
        ]
      : []),
  ]
}

/**
 * Another job on this host: as it gets its own cluster on record all that dead jobs left is gone. It is cancelled there, which saves making one, unless it is to show that it
 * can be made.
 */
async function nextRun(host: LifeCycleHost, changes: Partial<RunnerJob>, full: boolean | undefined): Promise<string[]> {
  const next = clusterJob(host, { logs: 'never' }, changes)
  try {
    const run = full === true ? await next.done : await strike(next, phases.network, 'cancelled')
    if (run === undefined) return ['the next run has no end']
    if (full === true) return run.result === 'success' ? [] : [`the next run: ${run.result}: ${next.log()}`]
    return wrongWith(run, 'cancelled').map((text) => `next run: ${text}`)
  } catch (error) {
    return [`next run: ${messageOf(error)}`]
  }
}
