import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { CommandError, ToolkitError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { goVersion as oldestGo, withPackageCaches } from '../process/package-caches.ts'
import { pathExists } from '../process/path-exists.ts'
import { binaryKey } from './content-key.ts'
import { imageFolders } from './folders.ts'
import type { GoBinary } from './recipe.ts'

const compileTimeoutMs = 3_600_000
const downloadTimeoutMs = 900_000

/** A module as `go mod download -json` reports it. */
export interface GoModule {
  /** Unpacked, read only. */
  readonly folder: string
  readonly goMod: string
}

interface GoModFile {
  readonly Go: string
  readonly Godebug?: readonly { readonly Key: string; readonly Value: string }[] | null
  readonly Require?: readonly { readonly Path: string; readonly Version: string }[] | null
  readonly Exclude?: readonly { readonly Path: string; readonly Version: string }[] | null
  readonly Replace?:
    | readonly {
        readonly Old: { readonly Path: string; readonly Version?: string }
        readonly New: { readonly Path: string; readonly Version?: string }
      }[]
    | null
}

/**
 * Compiles a static binary and resolves with its path in the cache; the second call finds it there. The Go checksum database stays switched on.
 * @param onLine is given the compiler's output, package by package.
 */
export async function buildGoBinary(
  host: Host,
  binary: GoBinary,
  onLine: (line: string) => void = () => {},
): Promise<string> {
  const key = (await binaryKey(host, binary)).slice(0, 12)
  const folders = imageFolders(host)
  const target = join(folders.binaries, `${nameOf(binary)}-${key}`, nameOf(binary))
  if (await pathExists(target)) return target

  const source = join(folders.work, `go-${nameOf(binary)}-${key}`)
  await rm(source, { recursive: true, force: true })
  await mkdir(source, { recursive: true })
  try {
    const packagePath = await prepareModule(host, binary, source)
    const output = join(source, '.output')
    const variables = Object.entries(binary.variables).flatMap(([name, value]) => ['-X', `${name}=${value}`])
    // -v names each package as it is compiled: the progress of a build of minutes.
    const args = [
      'build',
      '-v',
      '-trimpath',
      '-buildvcs=false',
      '-ldflags',
      ['-s', '-w', ...variables].join(' '),
      '-o',
      output,
      packagePath,
    ]
    await runGo(host, args, {
      cwd: source,
      timeoutMs: compileTimeoutMs,
      onLine,
      modules: binary.module === undefined ? 'readonly' : 'mod',
    })
    await mkdir(join(target, '..'), { recursive: true })
    // Renamed last: a binary in the cache is a whole one.
    await rename(output, target)
  } finally {
    await rm(source, { recursive: true, force: true })
  }
  return target
}

/** The last part of the import path that is a name, not a version: `metrics-server`, `server` -> `etcd` has its own recipe path anyway. */
function nameOf(binary: GoBinary): string {
  const path = binary.folder ?? binary.package ?? binary.module ?? 'binary'
  const parts = path.split('/').filter((part) => !/^(v\d+|\.)$/.test(part))
  return basename(parts.at(-1) ?? 'binary')
}

/** Lays out the main module in the folder; resolves with the package to build. */
async function prepareModule(host: Host, binary: GoBinary, source: string): Promise<string> {
  if (binary.folder !== undefined) {
    await cp(join(host.paths.assets, 'images', binary.folder), source, {
      recursive: true,
      filter: (path) => !path.endsWith('_test.go'),
    })
  }
  if (binary.module === undefined || binary.version === undefined) return binary.package ?? '.'
  const module = await downloadModule(host, binary.module, binary.version)
  await writeFile(join(source, 'go.mod'), await goModOver(host, binary, module))
  return binary.package ?? (binary.folder === undefined ? binary.module : '.')
}

/**
 * A go.mod of our own that requires the module and repeats what only counts in a main module: its replacements, exclusions and runtime settings. `go
 * install module@version` refuses modules with replacements.
 */
async function goModOver(host: Host, binary: GoBinary, module: GoModule): Promise<string> {
  const { stdout } = await runGo(host, ['mod', 'edit', '-json', module.goMod], { timeoutMs: 60_000 })
  return renderGoMod(binary, JSON.parse(stdout) as GoModFile)
}

/** Exported for tests. */
export function renderGoMod(binary: GoBinary, upstream: GoModFile): string {
  const lines = ['module k8s-platform.local/build', `go ${upstream.Go}`]
  for (const setting of upstream.Godebug ?? []) lines.push(`godebug ${setting.Key}=${setting.Value}`)
  lines.push(`require ${binary.module} ${binary.version}`)
  for (const { Old, New } of upstream.Replace ?? []) {
    // A replacement by a folder only works inside the module's own repository.
    if (New.Version !== undefined)
      lines.push(`replace ${[Old.Path, Old.Version].filter(Boolean).join(' ')} => ${New.Path} ${New.Version}`)
  }
  for (const required of upstream.Require ?? []) {
    if (required.Version !== 'v0.0.0') continue
    if (binary.staging === undefined) {
      throw new ToolkitError(`${binary.module} ${binary.version} requires ${required.Path} without a version`, {
        code: 'RECIPE_INVALID',
        hint: 'Give the version of its staging modules as `staging` in the recipe.',
      })
    }
    lines.push(`replace ${required.Path} => ${required.Path} ${binary.staging}`)
  }
  for (const excluded of upstream.Exclude ?? []) lines.push(`exclude ${excluded.Path} ${excluded.Version}`)
  return `${lines.join('\n')}\n`
}

/** Fetches a module, verified against the checksum database, and resolves with where it lies. */
export async function downloadModule(host: Host, module: string, version: string): Promise<GoModule> {
  const { stdout } = await runGo(host, ['mod', 'download', '-json', `${module}@${version}`], {
    timeoutMs: downloadTimeoutMs,
    cwd: '/',
  })
  const { Dir, GoMod } = JSON.parse(stdout) as { Dir: string; GoMod: string }
  return { folder: Dir, goMod: GoMod }
}

/** Runs go with settings that make the result depend on the sources alone. */
export async function runGo(
  host: Host,
  args: readonly string[],
  options: {
    cwd?: string
    timeoutMs: number
    onLine?: (line: string) => void
    modules?: 'mod' | 'readonly' | 'vendor'
  },
): Promise<{ stdout: string }> {
  try {
    return await host.exec.run('go', args, {
      quiet: true,
      timeoutMs: options.timeoutMs,
      signal: host.signal,
      env: {
        ...withPackageCaches(host),
        CGO_ENABLED: '0',
        GOWORK: 'off',
        // Writable folders: whoever may delete the cache shall be able to.
        GOFLAGS: ['-modcacherw', ...(options.modules === undefined ? [] : [`-mod=${options.modules}`])].join(' '),
      },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
    })
  } catch (error) {
    if (error instanceof CommandError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
      throw new UnsupportedError('building images from package registries needs Go, and there is none on PATH', {
        code: 'GO_MISSING',
        hint: `Install Go ${oldestGo} or newer (https://go.dev/dl), or use image-source: registry.`,
        cause: error,
      })
    }
    throw error
  }
}

export async function goVersion(host: Host): Promise<string> {
  return (await runGo(host, ['env', 'GOVERSION'], { timeoutMs: 60_000, cwd: '/' })).stdout.trim()
}

/** Text of a file of a module. */
export async function moduleFile(host: Host, module: string, version: string, path: string): Promise<string> {
  return readFile(join((await downloadModule(host, module, version)).folder, path), 'utf8')
}
