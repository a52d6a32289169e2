/** A fence of three or more backticks or tildes, with up to three spaces before it. */
const fence = /^ {0,3}(`{3,}|~{3,})/

/**
 * The beginning of a Markdown text in at most `mostBytes`, cut where a line ends and nothing is open: no half table row, no fence and no `<details>` without its end. A
 * notice says how many lines are left out. A text that fits comes back as it is.
 */
export function cutMarkdown(text: string, mostBytes: number): string {
  if (Buffer.byteLength(text) <= mostBytes) return text
  const lines = text.split('\n')
  const room = mostBytes - Buffer.byteLength(leftOut(lines.length))
  let size = 0
  let open: string | undefined
  let details = 0
  let safe = 0
  for (const [index, line] of lines.entries()) {
    size += Buffer.byteLength(line) + 1
    if (size > room) break
    const mark = fence.exec(line)?.[1]
    if (open === undefined) {
      if (mark !== undefined) open = mark
      else details += count(line, '<details') - count(line, '</details>')
    } else if (mark !== undefined && mark[0] === open[0] && mark.length >= open.length && line.trim() === mark) {
      open = undefined
    }
    if (open === undefined && details <= 0) safe = index + 1
  }
  const kept = lines.slice(0, safe)
  return `${kept.map((line) => `${line}\n`).join('')}${leftOut(lines.length - safe)}`
}

function leftOut(lines: number): string {
  // The empty line ends a table: the notice is no row of it.
  return `\n*${lines} more lines are left out here: GitHub accepts 1 MiB. The log and the report's files have everything.*\n`
}

function count(line: string, word: string): number {
  return line.split(word).length - 1
}
