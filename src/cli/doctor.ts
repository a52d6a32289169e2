import { hostProblems, requestProblems } from '../cluster/preflight.ts'
import type { ClusterRequest } from '../cluster/provider.ts'
import { readState } from '../cluster/state.ts'
import { InputError, messageOf, renderProblems, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { requireKind } from '../spec/settings.ts'
import { supportedArchitecture } from '../tools/platform.ts'
import { exitCodes } from './exit-codes.ts'
import { type RunCommand, settingsOf, settledRequest, versionFor } from './run-command.ts'

interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly text: string
}

const gibibyte = 1024 ** 3

/** Looks at everything `up` will need, changes nothing, and stops at nothing: all findings at once. */
export const doctor: RunCommand = async (host, command, parsed, print) => {
  const { settings } = await settingsOf(host, command, parsed)
  requireKind(settings)
  const findings: Finding[] = []
  const check = async <T>(
    name: string,
    look: () => T | Promise<T>,
    describe: (value: T) => string,
  ): Promise<T | undefined> => {
    try {
      const value = await look()
      findings.push({ name, ok: true, text: describe(value) })
      return value
    } catch (error) {
      findings.push({ name, ok: false, text: explain(error) })
      return undefined
    }
  }
  const machine = { platform: process.platform, arch: process.arch }
  const architecture = await check(
    'platform',
    () => supportedArchitecture(machine),
    (found) => `Linux ${found}`,
  )
  const request = await settledRequest(host, settings)
  findings.push({ name: 'images', ok: true, text: `image-source ${request.imageSource}` })
  for (const problem of requestProblems(request)) {
    findings.push({ name: problem.name, ok: false, text: renderProblems([problem]) })
  }
  if (architecture !== undefined) {
    const version = await check(
      'kubernetes',
      () => versionFor(host, request, architecture),
      (found) => `Kubernetes ${found}`,
    )
    if (version !== undefined) findings.push(...(await hostFindings(host, request, version)))
  }
  const width = Math.max(...findings.map((finding) => finding.name.length)) + 2
  for (const finding of findings) {
    print(`${finding.ok ? 'ok    ' : 'FAILED'}  ${finding.name.padEnd(width)}${finding.text}`)
  }
  const failed = findings.filter((finding) => !finding.ok).length
  print(failed === 0 ? 'This host can run it.' : `${failed} of ${findings.length} findings stand in the way.`)
  return failed === 0 ? exitCodes.ok : exitCodes.unsupported
}

async function hostFindings(host: Host, request: ClusterRequest, kubernetesVersion: string): Promise<Finding[]> {
  // A cluster that is there already has its memory, its disk and its ports.
  const hasCluster = (await readState(host, request.name))?.phase === 'ready'
  const { facts, problems } = await hostProblems(host, request, { kubernetesVersion, hasCluster })
  const found = problems.map((problem) => ({
    name: problem.name,
    ok: problem.severity === 'warning',
    text: `${problem.found}; ${problem.severity === 'warning' ? 'better' : 'needed'}: ${problem.needed}. ${problem.fix}`,
  }))
  if (found.some((finding) => !finding.ok)) return found
  const memory = Math.floor(facts.memoryAvailableBytes / gibibyte)
  const disk = facts.diskFreeBytes === undefined ? 'unknown' : `${Math.floor(facts.diskFreeBytes / gibibyte)} GiB`
  const text = `Docker ${facts.version ?? '?'}, cgroup v${facts.cgroupVersion ?? '?'}, ${memory} GiB of memory, disk ${disk}, ${facts.inotifyInstances} inotify instances`
  return [{ name: 'host', ok: true, text }, ...found]
}

function explain(error: unknown): string {
  const text = error instanceof InputError ? renderProblems(error.problems) : messageOf(error)
  const hint = error instanceof ToolkitError && error.hint !== undefined ? ` ${error.hint}` : ''
  return `${text}${hint}`
}
