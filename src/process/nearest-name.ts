/**
 * The known name a person most likely meant, or undefined when none is close: at most a third of the letters may differ. Case, hyphens and underscores
 * do not count, so `cluster_name` and `clusterName` find `cluster-name`.
 */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined
  for (const name of known) {
    // Too long or too short for any match; comparing a megabyte with every name takes seconds.
    if (Math.abs(plain(given).length - plain(name).length) > Math.max(given.length, name.length) / 3) continue
    const distance = editDistance(plain(given), plain(name))
    if (
      distance <= Math.floor(Math.max(given.length, name.length) / 3) &&
      (best === undefined || distance < best.distance)
    ) {
      best = { name, distance }
    }
  }
  return best?.name
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, '')
}

/** Optimal string alignment: insert, delete, replace, or swap of neighbours each cost one. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let value = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        value = Math.min(value, (beforeLast[j - 2] ?? 0) + 1)
      row.push(value)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
