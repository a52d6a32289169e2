import { rm } from 'node:fs/promises'
import { listStates } from '../cluster/state.ts'
import { teardownCluster } from '../cluster/teardown.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { exitCodes } from './exit-codes.ts'
import { defaultClusterName, type RunCommand, text } from './run-command.ts'

/** Removes clusters; with `--all` also what outlives them. Says what went, and what stays and why. */
export const down: RunCommand = async (host, _command, parsed, print) => {
  const all = parsed.flags['all'] === true
  const names = all
    ? await allNames(host, text(parsed, 'cluster-name'))
    : [text(parsed, 'cluster-name') ?? defaultClusterName]
  const failures: string[] = []
  for (const name of names) {
    try {
      const removed = await host.log.group(`remove cluster ${name}`, () => teardownCluster(host, name))
      print(
        removed.length === 0 ? `cluster ${name}: nothing was there` : `cluster ${name}: removed ${removed.join(', ')}`,
      )
    } catch (error) {
      failures.push(name)
      print(`cluster ${name}: ${messageOf(error)}`)
    }
  }
  if (failures.length > 0) {
    print(`not removed: ${failures.join(', ')}; run the command again`)
    return exitCodes.failed
  }
  if (all) await removeLasting(host, print)
  else await nameLasting(host, print)
  return exitCodes.ok
}

async function allNames(host: Host, named: string | undefined): Promise<string[]> {
  const states = await listStates(host)
  return [...new Set([...(named === undefined ? [] : [named]), ...states.map((state) => state.name)])]
}

/** The engine goes last: images are removed through it. */
async function removeLasting(host: Host, print: (text: string) => void): Promise<void> {
  const { pruneImages } = await import('../images/prune-images.ts')
  const { removeEngine } = await import('../engine/remove.ts')
  const pruned = await host.log.group('remove the image cache', () => pruneImages(host))
  for (const name of [...pruned.images, ...pruned.paths]) print(`removed ${name}`)
  const removed = await host.log.group('remove the engine', () => removeEngine(host))
  for (const line of removed) print(`removed ${line}`)
  for (const folder of [host.paths.cache, host.paths.state]) {
    await rm(folder, { recursive: true, force: true })
    print(`removed ${folder}`)
  }
}

async function nameLasting(host: Host, print: (text: string) => void): Promise<void> {
  const { describeEngine } = await import('../engine/describe.ts')
  const engine = await describeEngine(host)
  print(
    `kept: the image cache at ${host.paths.cache}${engine === undefined ? '' : `; ${engine}`} (down --all removes ${engine === undefined ? 'it' : 'both'})`,
  )
}
