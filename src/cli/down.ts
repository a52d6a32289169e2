import { listStates, readState } from '../cluster/state.ts'
import { teardownCluster } from '../cluster/teardown.ts'
import { thisMachine } from '../engine/machine.ts'
import { type EngineRecord, readRecord } from '../engine/record.ts'
import { engineVersion } from '../engine/version.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { exitCodes } from './exit-codes.ts'
import { removeOwnFolders } from './own-folders.ts'
import { defaultClusterName, type RunCommand, text } from './run-command.ts'

/** Removes clusters; with `--all` also what outlives them. Says what went, and what stays and why. */
export const down: RunCommand = async (host, _command, parsed, print) => {
  const all = parsed.flags['all'] === true
  const record = await readRecord(host, thisMachine)
  const running = await findEngine(host, record)
  const names = all
    ? await allNames(host, text(parsed, 'cluster-name'))
    : [text(parsed, 'cluster-name') ?? defaultClusterName]
  const failures: string[] = []
  for (const name of names) {
    try {
      // Without an engine, now or on record, there are no containers to ask for.
      const nothing = !running && record === undefined && (await readState(host, name)) === undefined
      if (nothing) {
        print(`cluster ${name}: nothing was there (nothing is on record and no Docker engine answers)`)
        continue
      }
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
  if (all) await removeLasting(host, { running, installed: record !== undefined }, print)
  else await nameLasting(host, print)
  return exitCodes.ok
}

/** True where an engine answers. One of ours that does not, as after a reboot without systemd, is started: what is in it could not be removed otherwise. */
async function findEngine(host: Host, record: EngineRecord | undefined): Promise<boolean> {
  if ((await engineVersion(host)) !== undefined) return true
  if (record === undefined) return false
  const { ensureEngine } = await import('../engine/ensure.ts')
  return await ensureEngine(host, { install: false }).then(
    () => true,
    (error: unknown) => {
      host.log.warning(`the engine installed for the clusters does not start any more: ${messageOf(error)}`)
      return false
    },
  )
}

async function allNames(host: Host, named: string | undefined): Promise<string[]> {
  const states = await listStates(host)
  return [...new Set([...(named === undefined ? [] : [named]), ...states.map((state) => state.name)])]
}

/** The engine goes last: images are removed through it. */
async function removeLasting(
  host: Host,
  engine: { readonly running: boolean; readonly installed: boolean },
  print: (text: string) => void,
): Promise<void> {
  const lines: string[] = []
  if (engine.running) {
    const { pruneImages } = await import('../images/prune-images.ts')
    const pruned = await host.log.group('remove the image cache', () => pruneImages(host))
    lines.push(...pruned.images, ...pruned.paths)
  }
  if (engine.installed) {
    const { removeEngine } = await import('../engine/remove.ts')
    lines.push(...(await host.log.group('remove the engine', () => removeEngine(host))))
  }
  const { removed, kept } = await removeOwnFolders(host.paths)
  for (const line of [...lines, ...removed]) print(`removed ${line}`)
  for (const path of kept) print(`kept    ${path}: not ours, or not readable by this version`)
}

async function nameLasting(host: Host, print: (text: string) => void): Promise<void> {
  const { describeEngine } = await import('../engine/describe.ts')
  const engine = await describeEngine(host)
  print(
    `kept: the image cache at ${host.paths.cache}${engine === undefined ? '' : `; ${engine}`} (down --all removes ${engine === undefined ? 'it' : 'both'})`,
  )
}
