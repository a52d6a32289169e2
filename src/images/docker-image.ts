import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Host } from '../process/host.ts'
import type { Recipe } from './recipe.ts'

const buildTimeoutMs = 900_000

/** Labels of every image the builder makes. */
export const recipeLabel = 'k8s-platform.recipe'
export const keyLabel = 'k8s-platform.key'

/** Local name of a built image; twelve digits of the key are plenty for one machine. */
export function localTag(recipe: string, key: string): string {
  return `k8s-platform/${recipe}:${key.slice(0, 12)}`
}

/** Makes an image of one layer over a base, with the recipe's settings. The layer is archived the same way whatever the machine. */
export async function imageFromLayer(
  host: Host,
  recipe: Recipe,
  image: {
    root: string
    context: string
    base: string | undefined
    tag: string
    labels: Readonly<Record<string, string>>
  },
): Promise<void> {
  await mkdir(image.context, { recursive: true })
  const archive = join(image.context, 'layer.tar')
  const tar = [
    '--create',
    '--file',
    archive,
    '--directory',
    image.root,
    '--sort=name',
    '--mtime=@0',
    '--numeric-owner',
    '--xattrs-include=security.capability',
    '.',
  ]
  await host.exec.run('tar', tar, { quiet: true, timeoutMs: buildTimeoutMs, signal: host.signal })
  await writeFile(join(image.context, 'Dockerfile'), dockerfile(recipe, image.base, image.labels))
  await dockerBuild(host, ['--tag', image.tag, image.context])
}

/** Exported for tests. */
export function dockerfile(recipe: Recipe, base: string | undefined, labels: Readonly<Record<string, string>>): string {
  const lines = [`FROM ${base ?? 'scratch'}`, 'ADD layer.tar /']
  for (const [name, value] of Object.entries(recipe.environment)) lines.push(`ENV ${name}=${quote(value)}`)
  if (recipe.workdir !== undefined) lines.push(`WORKDIR ${recipe.workdir}`)
  if (recipe.user !== undefined) lines.push(`USER ${recipe.user}`)
  for (const port of recipe.ports) lines.push(`EXPOSE ${port}`)
  if (recipe.volumes.length > 0) lines.push(`VOLUME ${JSON.stringify(recipe.volumes)}`)
  if (recipe.stopSignal !== undefined) lines.push(`STOPSIGNAL ${recipe.stopSignal}`)
  if (recipe.entrypoint !== undefined) lines.push(`ENTRYPOINT ${JSON.stringify(recipe.entrypoint)}`)
  if (recipe.command !== undefined) lines.push(`CMD ${JSON.stringify(recipe.command)}`)
  for (const [name, value] of Object.entries(labels)) lines.push(`LABEL ${name}=${quote(value)}`)
  return `${lines.join('\n')}\n`
}

/** A Dockerfile expands variables inside quotes too. */
function quote(value: string): string {
  return JSON.stringify(value).replaceAll('$', '\\$')
}

/** `docker build` with no network and with the builder every engine has; newer clients want it named. */
export async function dockerBuild(host: Host, args: readonly string[], onLine?: (line: string) => void): Promise<void> {
  await host.exec.run('docker', ['build', '--quiet', '--network', 'none', '--force-rm', ...args], {
    quiet: true,
    timeoutMs: buildTimeoutMs,
    signal: host.signal,
    env: { ...host.env, DOCKER_BUILDKIT: '0' },
    ...(onLine === undefined ? {} : { onLine }),
  })
}

/** An image of ours in the local Docker. */
export interface LocalImage {
  readonly tag: string
  readonly id: string
  readonly recipe: string
  readonly key: string
  readonly bytes: number
  /** ISO 8601, of the build. */
  readonly createdAt: string
}

/** Every image with a tag that the builder has made, also for other recipe contents than today's. */
export async function localImages(host: Host): Promise<readonly LocalImage[]> {
  const ids = await host.exec.run('docker', ['images', '--filter', `label=${recipeLabel}`, '--no-trunc', '--quiet'], {
    quiet: true,
  })
  const unique = [...new Set(ids.stdout.split('\n').filter((id) => id !== ''))]
  if (unique.length === 0) return []
  const { stdout } = await host.exec.run('docker', ['image', 'inspect', ...unique], { quiet: true })
  const inspected = JSON.parse(stdout) as {
    Id: string
    RepoTags: string[] | null
    Size: number
    Created: string
    Config: { Labels: Record<string, string> }
  }[]
  return inspected.flatMap((image) =>
    (image.RepoTags ?? [])
      .filter((tag) => tag.startsWith('k8s-platform/'))
      .map((tag) => ({
        tag,
        id: image.Id,
        recipe: image.Config.Labels[recipeLabel] ?? '',
        key: image.Config.Labels[keyLabel] ?? '',
        bytes: image.Size,
        createdAt: image.Created,
      })),
  )
}
