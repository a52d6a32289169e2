import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { BundleRun } from './run-bundle.ts'

/** Part of every secret of a test. */
export const mark = `kpsecret${randomBytes(8).toString('hex')}`

/** The mark as it stands, which is how JSON and a URL write it too, and as any base64 of a text that holds it does. */
const forms = [
  mark,
  ...[0, 1, 2].map((shift) => {
    const text = Buffer.from(`${'.'.repeat(shift)}${mark}`).toString('base64')
    // Its first and last signs depend on what stands beside it.
    return text.slice(4, -4)
  }),
]
export const shows = (text: string | Buffer): boolean => forms.some((form) => text.includes(form))

/** Everywhere the mark is after the run: what it printed, but for the commands that mask; every file it wrote; its programs' arguments and environment. */
export function placesOf(run: BundleRun, programs: readonly string[]): string[] {
  const printed = `${run.stdout}\n${run.stderr}`.split('\n').filter((line) => !line.startsWith('::add-mask::'))
  const files = readdirSync(run.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
  return [
    ...(printed.some(shows) ? ['the log'] : []),
    ...files.filter((file) => shows(readFileSync(file))).map((file) => path.relative(run.folder, file)),
    ...programs.filter(shows).map((text) => `a program: ${text.slice(0, 200)}`),
  ]
}

/** Arguments and environment of all programs below a process, read again and again while it runs. */
export function watchPrograms(seen: Set<string>): (child: ChildProcess) => void {
  return (child) => {
    const timer = setInterval(() => {
      const own = commandLine(child.pid ?? 0)
      for (const pid of programsBelow(child.pid ?? 0)) {
        const command = commandLine(pid)
        // Before it has become another program, a new process has the memory of the one that made it.
        if (command === '' || command === own) continue
        seen.add(`cmdline ${command}`)
        try {
          seen.add(`environ ${readFileSync(`/proc/${pid}/environ`, 'utf8')}`)
        } catch {
          // It has ended.
        }
      }
    }, 5)
    child.on('exit', () => clearInterval(timer))
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function programsBelow(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    const direct = text
      .split(' ')
      .filter((part) => part !== '')
      .map(Number)
    return direct.flatMap((child) => [child, ...programsBelow(child)])
  } catch {
    return []
  }
}
