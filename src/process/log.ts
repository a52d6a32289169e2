/** What an annotation is headed with, and where in a user's file it belongs. */
export interface AnnotationPlace {
  readonly title?: string
  readonly file?: string
  readonly line?: number
}

/**
 * What a feature may say. On a runner groups fold and warnings become annotations (src/action); on a terminal they are plain lines (src/cli).
 * Features never write to stdout themselves.
 */
export interface Logger {
  debug(message: string): void
  info(message: string): void
  notice(message: string): void
  warning(message: string, place?: AnnotationPlace): void
  error(message: string, place?: AnnotationPlace): void
  /** Runs the body under a heading; the heading is closed with the duration, also when the body fails. */
  group<T>(title: string, body: () => Promise<T>): Promise<T>
  /** A line of progress that a terminal may overwrite, and that CI prints at most every few seconds. */
  progress(message: string): void
  /** From now on the value is printed as `***`. */
  mask(secret: string): void
}

/** Says nothing; for tests and for callers that report in another way. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  notice() {},
  warning() {},
  error() {},
  group: (_title, body) => body(),
  progress() {},
  mask() {},
}
