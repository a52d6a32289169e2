import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import { waitFor } from '../process/wait.ts'
import { recipeLabel } from './docker-image.ts'
import type { Recipe } from './recipe.ts'

const importTimeoutMs = 600_000
const containerdStartMs = 60_000

/** An image to put into the node's store, under the names manifests use. */
export interface PreloadedImage {
  readonly localTag: string
  readonly upstreamNames: readonly string[]
}

/**
 * Makes `tag` out of `unloaded` by importing images into its containerd: the container runs nothing but containerd, without a network and without
 * privileges, and is committed. Layers stay packed; a node unpacks what it runs.
 */
export async function preloadImages(
  host: Host,
  recipe: Recipe,
  node: {
    unloaded: string
    tag: string
    labels: Readonly<Record<string, string>>
    scratch: string
    images: readonly PreloadedImage[]
  },
): Promise<void> {
  const container = `k8s-platform-preload-${node.tag.split(':')[1] ?? 'node'}`
  const docker = (args: readonly string[], timeoutMs = importTimeoutMs) =>
    host.exec.run('docker', args, { quiet: true, timeoutMs, signal: host.signal })
  const ctr = (args: readonly string[]) => docker(['exec', container, 'ctr', '--namespace', 'k8s.io', ...args])

  await mkdir(node.scratch, { recursive: true })
  await host.exec.run('docker', ['rm', '--force', container], { quiet: true, allowFailure: true })
  await docker(['save', '--output', join(node.scratch, 'images.tar'), ...node.images.map((image) => image.localTag)])
  try {
    await docker([
      ...['run', '--detach', '--name', container, '--network', 'none', '--security-opt', 'seccomp=unconfined'],
      ...['--label', `${recipeLabel}=${recipe.name}`, '--volume', `${node.scratch}:/preload:ro`],
      ...['--entrypoint', '/usr/bin/containerd', node.unloaded],
    ])
    await waitFor(host, 'containerd in the node image', () => ctr(['version']), {
      done: () => true,
      explain: () => '',
      timeoutMs: containerdStartMs,
    })
    await ctr(['images', 'import', '--no-unpack', '/preload/images.tar'])
    for (const image of node.images) {
      const imported = `docker.io/${image.localTag}`
      for (const name of image.upstreamNames) await ctr(['images', 'tag', '--force', imported, name])
      await ctr(['images', 'rm', imported])
    }
    await docker(['stop', '--time', '30', container])
    const changes = [
      `ENTRYPOINT ${JSON.stringify(recipe.entrypoint ?? [])}`,
      ...Object.entries(node.labels).map(([name, value]) => `LABEL ${name}=${value}`),
    ]
    await docker(['commit', ...changes.flatMap((change) => ['--change', change]), container, node.tag])
  } finally {
    await host.exec.run('docker', ['rm', '--force', container], { quiet: true, allowFailure: true })
    await rm(node.scratch, { recursive: true, force: true })
  }
}
