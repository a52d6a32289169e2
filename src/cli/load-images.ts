import { loadImages } from '../cluster/load-images.ts'
import { InputError } from '../process/errors.ts'
import { parseDuration } from '../spec/duration.ts'
import type { Parsed } from './arguments.ts'
import { targetCluster } from './assert.ts'
import { exitCodes } from './exit-codes.ts'
import { defaultClusterName, type RunCommand, text } from './run-command.ts'

/** Images into every node of a cluster of ours by name, or of any kind cluster of this machine by kubeconfig. */
export const loadImagesCommand: RunCommand = async (host, _command, parsed, print) => {
  const [images, archives] = [list(parsed, 'images'), list(parsed, 'archives')]
  if (images.length + archives.length === 0) {
    throw new InputError([
      {
        name: '--images',
        problem: 'is missing, and --archives too',
        allowed: 'at least one of them',
        example: 'shop:1',
      },
    ])
  }
  const target = await targetCluster(host, parsed, text(parsed, 'cluster-name') ?? defaultClusterName)
  const loaded = await loadImages(host, { ...target, images, archives, ...timeoutOf(parsed) })
  for (const { image, how, nodes } of loaded) print(`${image.padEnd(50)} ${how.padEnd(10)} ${nodes.length} nodes`)
  return exitCodes.ok
}

function list(parsed: Parsed, name: string): readonly string[] {
  const value = parsed.flags[name]
  return Array.isArray(value) ? value : []
}

function timeoutOf(parsed: Parsed): { timeoutMs?: number } {
  const given = text(parsed, 'timeout')
  return given === undefined ? {} : { timeoutMs: parseDuration(given, '--timeout') }
}
