import { isCancellation, messageOf, ToolkitError } from '../process/errors.ts'
import type { Logger } from '../process/log.ts'

/** An annotation is cut by GitHub at 64 KiB and by readers long before. */
const longestAnnotation = 4_000

export interface ReportOptions {
  readonly log: Logger
  /** Also show stacks: RUNNER_DEBUG is 1. */
  readonly debug: boolean
  /** In a post step nothing fails the job any more. */
  readonly as: 'error' | 'warning'
  /** The action's own title: it heads the annotation, together with the error's code. */
  readonly title?: string
}

/**
 * Tells a person, once: what happened, why, what to do; the evidence in a group below. Stack traces only for what nobody foresaw.
 */
export async function reportError(error: unknown, { log, debug, as, title }: ReportOptions): Promise<void> {
  const known = error instanceof ToolkitError
  // What to do and the code stay, however long the story is.
  const parts = [shorten(messageOf(error))]
  if (known && error.hint !== undefined) parts.push(error.hint)
  parts.push(known ? `(${error.code}, docs/errors.md)` : '(unexpected: please report this with the details in the log)')
  const text = parts.join('\n')
  // A cancelled run is what somebody wanted, not a finding.
  const place = title === undefined ? undefined : { title: known ? `${title}: ${error.code}` : title }
  if (as === 'warning' || isCancellation(error)) log.warning(text, place)
  else log.error(text, place)

  const details = [...detailsOf(error, debug)]
  if (details.length === 0) return
  await log.group('details', async () => {
    for (const line of details) log.info(line)
  })
}

function* detailsOf(error: unknown, debug: boolean): Generator<string> {
  if (error instanceof ToolkitError) yield* error.diagnostics
  const seen = new Set<unknown>([error])
  for (let cause = causeOf(error); cause !== undefined && !seen.has(cause); cause = causeOf(cause)) {
    seen.add(cause)
    // A wrapping error often quotes its cause: said once is enough.
    if (!messageOf(error).includes(messageOf(cause))) yield `caused by: ${messageOf(cause)}`
    if (cause instanceof ToolkitError) yield* cause.diagnostics
  }
  if (error instanceof AggregateError) for (const part of error.errors) yield `- ${messageOf(part)}`
  if ((debug || !(error instanceof ToolkitError)) && error instanceof Error && error.stack !== undefined)
    yield error.stack
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}

function shorten(text: string): string {
  return text.length <= longestAnnotation ? text : `${text.slice(0, longestAnnotation)}\n[shortened]`
}
