/**
 * The runner reads commands out of everything an action prints: a line that begins with `::`, or that holds `##[`. Text that comes from elsewhere (a
 * branch name, a child's output, an error of a server) must not be able to give any. Returns single lines, each harmless.
 */
export function harmlessLines(text: string): string[] {
  // The runner's reader also ends a line at a lone carriage return.
  return text.split(/\r\n|\r|\n/).map(harmlessLine)
}

/** Characters that a comparison by culture skips and a trim removes: they hide a command from a check that looks at code points only. */
const unseen = String.raw`[^\p{L}\p{N}\p{P}\p{S}]`
const commandAtStart = new RegExp(`^${unseen}*:${unseen}*:`, 'u')
const oldCommand = new RegExp(`#${unseen}*#${unseen}*\\[`, 'gu')

function harmlessLine(line: string): string {
  const broken = line.replace(oldCommand, '#|#[')
  return commandAtStart.test(broken) ? `| ${broken}` : broken
}
