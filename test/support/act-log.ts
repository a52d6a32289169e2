/** A step as act's log tells of it (act.ts). */
export interface ActStep {
  readonly job: string
  /** `id:` of the step, else its number from 0. */
  readonly id: string
  readonly stage: 'Pre' | 'Main' | 'Post'
  readonly result: string
  readonly outputs: Readonly<Record<string, string>>
  /** What it appended to the job summary. */
  readonly summary: string
  /** What it printed, without workflow commands. */
  readonly log: string
  /** Annotations: `error: text`. */
  readonly annotations: readonly string[]
  readonly durationMs: number
}

/** One line of `--json`. */
export interface ActEntry {
  readonly level: string
  readonly msg: string
  readonly jobID?: string
  readonly jobResult?: string
  readonly stage?: ActStep['stage']
  readonly stepID?: readonly string[]
  readonly stepResult?: string
  /** Nanoseconds. */
  readonly executionTime?: number
  readonly raw_output?: boolean
  readonly command?: string
  readonly name?: string
  readonly arg?: string
  readonly content?: string
}

/** Each step that has ended, out of what was said of it. */
export function stepsOf(entries: readonly ActEntry[]): ActStep[] {
  const byStep = Map.groupBy(
    entries.filter((entry) => entry.stage !== undefined && entry.stepID !== undefined),
    (entry) => JSON.stringify([entry.jobID, entry.stage, entry.stepID]),
  )
  return [...byStep.values()].flatMap((said): ActStep[] => {
    const end = said.find((entry) => entry.stepResult !== undefined && entry.executionTime !== undefined)
    if (end?.stage === undefined) return []
    const commands = (name: string): ActEntry[] => said.filter((entry) => entry.command === name)
    return [
      {
        job: end.jobID ?? '',
        id: end.stepID?.[0] ?? '',
        stage: end.stage,
        result: end.stepResult ?? '',
        outputs: Object.fromEntries(commands('set-output').map((entry) => [entry.name ?? '', entry.arg ?? ''])),
        summary: commands('summary')
          .map((entry) => entry.content ?? '')
          .join(''),
        log: said
          .filter((entry) => entry.raw_output === true)
          .map((entry) => entry.msg)
          .join(''),
        annotations: ['notice', 'warning', 'error'].flatMap((level) =>
          commands(level).map((entry) => `${level}: ${entry.arg ?? ''}`),
        ),
        durationMs: (end.executionTime ?? 0) / 1e6,
      },
    ]
  })
}

/** A line as a person would read it. */
export function readable(entry: ActEntry): string {
  const place = [entry.jobID, entry.stage, entry.stepID?.join('.')].filter((part) => part !== undefined).join(' ')
  return `[${place}] ${entry.raw_output === true ? '| ' : ''}${entry.msg.replaceAll('\r', '').trimEnd()}`
}

/** undefined for what is not of the log. */
export function parseEntry(line: string): ActEntry | undefined {
  try {
    return JSON.parse(line) as ActEntry
  } catch {
    // What goes wrong before there is a logger.
    return undefined
  }
}
