/**
 * What the runner reads out of a step, after its own source: src/Runner.Common/ActionCommand.cs (commands in the output) and src/Runner.Worker/FileCommandManager.cs
 * (files) of actions/runner at 258d6c857. Where its comparison depends on the culture of its host, this reader takes the most generous one.
 */
export interface RunnerCommand {
  readonly name: string
  readonly properties: Readonly<Record<string, string>>
  readonly message: string
}

/** A comparison by culture passes over what has no weight of its own; the trim before it over every white space. */
const weightless = String.raw`[\p{C}\p{Z}\p{M}]*`
const command = new RegExp(`^${weightless}:${weightless}:(.*?)::(.*)$`, 'su')
const opensCommand = new RegExp(`^${weightless}:${weightless}:`, 'u')
const oldCommand = new RegExp(`#${weightless}#${weightless}\\[([^\\]]*)\\]?(.*)$`, 'su')

/** All commands in what a step has printed, those included that only a generous reader sees. `::` alone has the name ''. */
export function commandsOf(output: string): RunnerCommand[] {
  return linesOf(output).flatMap((line) => {
    const found = command.exec(line) ?? oldCommand.exec(line)
    if (found === null) return opensCommand.test(line) ? [{ name: '', properties: {}, message: line }] : []
    const [, info = '', message = ''] = found
    const space = info.indexOf(' ')
    const name = space === -1 ? info : info.slice(0, space)
    return [{ name, properties: space === -1 ? {} : propertiesOf(info.slice(space + 1)), message: decoded(message) }]
  })
}

/** A line ends at a line feed, a carriage return, or both. */
export function linesOf(output: string): string[] {
  return output.split(/\r\n|\r|\n/)
}

function propertiesOf(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => pair.split('='))
  const whole = pairs.filter(([name, ...value]) => name !== '' && value.join('=') !== '')
  return Object.fromEntries(whole.map(([name = '', ...value]) => [name, decoded(value.join('='))]))
}

function decoded(text: string): string {
  return text
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%25', '%')
}

/**
 * The pairs of GITHUB_OUTPUT, GITHUB_STATE or GITHUB_ENV: `name=value`, or `name<<delimiter`, lines, `delimiter`; whichever sign comes first decides. A later value
 * wins. Throws where the runner fails the step.
 */
export function pairsOf(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  const lines = text.split('\n')
  // The last line of the file ends like every other.
  const end = lines.pop() === '' ? lines.length : lines.length + 1
  for (let at = 0; at < end; at++) {
    const line = lines[at] ?? ''
    if (line === '') continue
    const equals = line.indexOf('=')
    const heredoc = line.indexOf('<<')
    if (equals !== -1 && (heredoc === -1 || equals < heredoc)) {
      values[line.slice(0, equals)] = line.slice(equals + 1)
      continue
    }
    const [name, delimiter] = [line.slice(0, heredoc), line.slice(heredoc + 2)]
    if (heredoc < 1 || delimiter === '') throw new Error(`not a pair: ${line}`)
    const last = lines.indexOf(delimiter, at + 1)
    if (last === -1) throw new Error(`no end of ${name}`)
    values[name] = lines.slice(at + 1, last).join('\n')
    at = last
  }
  return values
}

/** The folders of GITHUB_PATH. */
export function foldersOf(text: string): string[] {
  return linesOf(text).filter((line) => line !== '')
}
