/** Of an uneven number of runs the one in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  if (low === undefined || high === undefined) return Number.NaN
  return (low + high) / 2
}

/** `12.3 (11.9 to 14.0)`: median and spread. */
export function medianAndSpread(values: readonly number[]): string {
  const digits = (value: number): string => value.toFixed(1)
  return `${digits(median(values))} (${digits(Math.min(...values))} to ${digits(Math.max(...values))})`
}

type Ways = Readonly<Record<string, (round: number) => Promise<unknown>>>

/** Runs each of `ways` `times` times, in turn and every other round in reverse, so that what the machine does beside it falls on all of them, and no way is always the first. */
export async function alternately<W extends Ways>(
  times: number,
  ways: W,
): Promise<{ readonly [K in keyof W]: readonly Awaited<ReturnType<W[K]>>[] }> {
  const results = new Map<string, unknown[]>(Object.keys(ways).map((name) => [name, []]))
  for (let round = 1; round <= times; round++)
    for (const [name, run] of inTurn(Object.entries(ways), round)) results.get(name)?.push(await run(round))
  return Object.fromEntries(results) as unknown as { readonly [K in keyof W]: readonly Awaited<ReturnType<W[K]>>[] }
}

function inTurn<T>(entries: readonly T[], round: number): readonly T[] {
  return round % 2 === 1 ? entries : entries.toReversed()
}
