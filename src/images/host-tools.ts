import { access, constants, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { InputError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { nearestName } from '../process/nearest-name.ts'
import { withCacheLock } from './cache-lock.ts'
import { binaryKey } from './content-key.ts'
import { imageFolders } from './folders.ts'
import { buildGoBinary } from './go-build.ts'
import { supportedKubernetesVersions } from './kubernetes-versions.ts'
import { loadRecipes } from './load-recipes.ts'
import { BuildProgress } from './progress.ts'
import { type GoBinary, goBinarySchema } from './recipe.ts'

const toolSchema = z.union([z.strictObject({ recipe: z.string(), binary: z.string() }), goBinarySchema])
const toolsSchema = z.record(z.string(), toolSchema)

/**
 * A program for the host, compiled from its Go module and kept in the cache; resolves with its path, whose last part is the tool's name.
 * @param tool a name of images/tools.yaml, such as `kind`, `kubectl`, `helm`.
 * @param kubernetesVersion only counts for `kubectl`; default is the first row of the table.
 * @throws InputError for a name that is not in the file.
 */
export async function toolFromPackages(host: Host, tool: string, kubernetesVersion?: string): Promise<string> {
  const definition = await toolDefinition(host, tool, kubernetesVersion)
  const path = join(
    imageFolders(host).binaries,
    `tool-${tool}-${(await binaryKey(host, definition)).slice(0, 12)}`,
    tool,
  )
  if (await exists(path)) return path
  return host.timings.phase(`tool ${tool}`, () =>
    withCacheLock(host, imageFolders(host).lock, async () => {
      if (await exists(path)) return path
      host.log.info(`compiling ${tool} ${definition.version ?? ''} from its Go module`)
      using progress = new BuildProgress(host, 1)
      const binary = await progress.step(tool, 'compiling', (onLine) => buildGoBinary(host, definition, onLine))
      await mkdir(dirname(path), { recursive: true })
      await rm(`${path}.new`, { force: true })
      await symlink(binary, `${path}.new`)
      await rename(`${path}.new`, path)
      return path
    }),
  )
}

/** Version of a tool as the file has it, `v0.33.0`. */
export async function toolVersion(host: Host, tool: string): Promise<string> {
  return (await toolDefinition(host, tool)).version ?? ''
}

async function toolDefinition(host: Host, tool: string, kubernetesVersion?: string): Promise<GoBinary> {
  const file = join(host.paths.assets, 'images/tools.yaml')
  const tools = toolsSchema.parse(parse(await readFile(file, 'utf8')))
  const definition = tools[tool]
  if (definition === undefined) {
    const known = Object.keys(tools)
    const near = nearestName(tool, known)
    throw new InputError([
      {
        name: 'tool',
        value: tool,
        problem: `is not in images/tools.yaml${near === undefined ? '' : `; did you mean ${near}?`}`,
        allowed: known.join(', '),
      },
    ])
  }
  if (!('recipe' in definition)) return definition
  const [first = ''] = await supportedKubernetesVersions(host)
  const recipes = await loadRecipes(host, kubernetesVersion ?? first)
  const binary = recipes.get(definition.recipe)?.go[definition.binary]
  if (binary !== undefined) return binary
  throw new InputError([
    { name: `${file} ${tool}`, value: definition.binary, problem: `is not a binary of recipe ${definition.recipe}` },
  ])
}

/** False too for a link whose target is gone. */
async function exists(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
