import * as core from '@actions/core'
import { ToolkitError } from '../process/errors.ts'
import { printable } from '../process/printable.ts'

/**
 * What a step leaves for later ones, by the files that the runner reads when it ends. A value that would come out of them as another one is refused: the runner cuts
 * an environment variable at a NUL (src/Runner.Sdk/ProcessInvoker.cs of actions/runner), a lone surrogate has no UTF-8, and a folder for PATH is a line of its file.
 */
export const stepFiles = {
  output: (name: string, value: string) => core.setOutput(name, whole(name, value)),
  state: (name: string, value: string) => core.saveState(name, whole(name, value)),
  variable: (name: string, value: string) => core.exportVariable(name, whole(name, value)),
  path(folder: string) {
    if (/[\r\n]/.test(folder)) throw unwritable('PATH', 'holds a line break')
    core.addPath(whole('PATH', folder))
  },
} as const

function whole(name: string, value: string): string {
  if (value.includes('\0')) throw unwritable(name, 'holds a NUL')
  if (!value.isWellFormed()) throw unwritable(name, 'is not Unicode text')
  return value
}

function unwritable(name: string, problem: string): ToolkitError {
  return new ToolkitError(`the value for ${printable(name)} ${problem}, so later steps would see another one`, {
    code: 'VALUE_UNWRITABLE',
    hint: 'Look for it in the names of the cluster and in the folders of the runner.',
  })
}
