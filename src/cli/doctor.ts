import { hostFacts } from '../cluster/host-facts.ts'
import { checkCgroupVersion, resolveKubernetesVersion } from '../cluster/kubernetes-version.ts'
import { hostProblems } from '../cluster/preflight.ts'
import { supplyFor } from '../cluster/supply.ts'
import { chooseImageSource } from '../pipeline/choose-image-source.ts'
import { InputError, messageOf, renderProblems, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { supportedArchitecture } from '../tools/platform.ts'
import { exitCodes } from './exit-codes.ts'
import { type RunCommand, requestOf, settingsOf } from './run-command.ts'

interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly text: string
}

const gibibyte = 1024 ** 3

/** Looks at everything `up` will need, changes nothing, and stops at nothing: all findings at once. */
export const doctor: RunCommand = async (host, command, parsed, print) => {
  const { settings } = await settingsOf(host, command, parsed)
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
  const architecture = await check(
    'platform',
    () => supportedArchitecture(process),
    (found) => `Linux ${found}`,
  )
  const source = await check(
    'images',
    () => chooseImageSource(host, settings.cluster.imageSource),
    (found) => `image-source ${found}`,
  )
  const facts = await check(
    'docker',
    () => hostFacts(host),
    (found) => `Docker ${found.dockerVersion}, cgroup v${found.cgroupVersion}`,
  )
  if (facts !== undefined) {
    const nodes = settings.cluster.nodes.length
    const problems = hostProblems(nodes, facts)
    for (const problem of problems) findings.push({ name: problem.name, ok: false, text: renderProblems([problem]) })
    if (problems.length === 0) {
      const disk = Math.floor(facts.freeDiskBytes / gibibyte)
      const memory = Math.floor(facts.availableMemoryBytes / gibibyte)
      findings.push({
        name: 'resources',
        ok: true,
        text: `room for ${nodes} nodes: ${memory} GiB of memory, ${disk} GiB at ${facts.freeDiskPath}, ${facts.inotifyInstances} inotify instances`,
      })
    }
  }
  if (architecture !== undefined && source !== undefined) {
    const request = requestOf(settings, { name: 'doctor', imageSource: source })
    await check(
      'kubernetes',
      async () => {
        const supply = await supplyFor({ request, architecture })
        const { version } = resolveKubernetesVersion(request.kubernetesVersion, source, await supply.versions())
        if (facts !== undefined) checkCgroupVersion(version, facts.cgroupVersion)
        return version
      },
      (version) => `Kubernetes ${version}`,
    )
    if (source === 'packages') {
      await check(
        'go',
        () => goVersion(host),
        (version) => `${version}, to build what registries would serve`,
      )
    }
  }
  const width = Math.max(...findings.map((finding) => finding.name.length)) + 2
  for (const finding of findings)
    print(`${finding.ok ? 'ok    ' : 'FAILED'}  ${finding.name.padEnd(width)}${finding.text}`)
  const failed = findings.filter((finding) => !finding.ok).length
  print(failed === 0 ? 'This host can run it.' : `${failed} of ${findings.length} findings stand in the way.`)
  return failed === 0 ? exitCodes.ok : exitCodes.unsupported
}

async function goVersion(host: Host): Promise<string> {
  const result = await host.exec.run('go', ['version'], { quiet: true })
  return result.stdout.trim().replace(/^go version /, '')
}

function explain(error: unknown): string {
  const text = error instanceof InputError ? renderProblems(error.problems) : messageOf(error)
  const hint = error instanceof ToolkitError && error.hint !== undefined ? ` ${error.hint}` : ''
  return `${text}${hint}`
}
