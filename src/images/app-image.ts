import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { findDockerImage } from '../cluster/docker-images.ts'
import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { withPackageCaches } from '../process/package-caches.ts'
import { digestTree, sha256 } from './content-key.ts'
import { dockerBuild, keyLabel } from './docker-image.ts'
import { runGo } from './go-build.ts'

const fetchTimeoutMs = 900_000

/** Python of the `python` recipe, which wheels must fit. */
const pythonVersion = '3.11'

/** Folders of a checkout that are results, never sources. */
const notSources = new Set([
  'node_modules',
  'vendor',
  '__pycache__',
  '.pytest_cache',
  '.venv',
  'coverage',
  'test-results',
  'tests',
  'test',
])

export interface AppImageRequest {
  /** Folder with the Dockerfile and its context, absolute. */
  readonly context: string
  /** Default `Dockerfile`. */
  readonly dockerfile?: string
  /** Such as the names of the base images. They must be in the local Docker. */
  readonly buildArgs?: Readonly<Record<string, string>>
  /** Name of the result. */
  readonly tag: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface AppImage {
  readonly tag: string
  /** 64 hex digits over context, Dockerfile, arguments and the ids of the base images. */
  readonly key: string
  /** False when the image was there already. */
  readonly built: boolean
}

/**
 * Builds an application's image with no network: what its lock file names (Python requirements with hashes, go.sum, package-lock.json) is fetched on the
 * host into a copy of the context first. Does nothing when the image of that tag is made of the same.
 */
export async function buildAppImage(host: Host, request: AppImageRequest): Promise<AppImage> {
  const dockerfile = request.dockerfile ?? 'Dockerfile'
  const key = sha256({
    sources: await digestTree(
      request.context,
      (file) => !file.split('/').some((part) => notSources.has(part)) && !file.endsWith('.whl'),
    ),
    dockerfile,
    buildArgs: request.buildArgs ?? {},
    bases: await baseIds(host, Object.values(request.buildArgs ?? {})),
    labels: request.labels ?? {},
  })
  if ((await keyOfImage(host, request.tag)) === key) return { tag: request.tag, key, built: false }

  const copy = join(host.paths.temp, `context-${basename(request.context)}-${key.slice(0, 12)}`)
  await rm(copy, { recursive: true, force: true })
  await mkdir(copy, { recursive: true })
  try {
    await cp(request.context, copy, {
      recursive: true,
      filter: (path) => path === request.context || !notSources.has(basename(path)),
    })
    await fetchDependencies(host, copy)
    const labels = { ...request.labels, [keyLabel]: key }
    const args = [
      ...Object.entries(request.buildArgs ?? {}).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ]
    await dockerBuild(host, ['--tag', request.tag, '--file', join(copy, dockerfile), ...args, copy])
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
  return { tag: request.tag, key, built: true }
}

/** Brings into the context what the Dockerfile would otherwise download. */
async function fetchDependencies(host: Host, context: string): Promise<void> {
  const files = new Set(await readdir(context))
  if (files.has('requirements.txt')) await fetchWheels(host, context)
  if (files.has('go.mod') && /^require\b/m.test(await readFile(join(context, 'go.mod'), 'utf8'))) {
    await runGo(host, ['mod', 'vendor'], { cwd: context, timeoutMs: fetchTimeoutMs })
  }
  if (files.has('package-lock.json')) {
    const args = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    await fetch(host, 'npm', args, context)
  }
}

async function fetch(host: Host, program: string, args: readonly string[], cwd: string): Promise<void> {
  const env = withPackageCaches(host)
  await host.exec.run(program, args, { cwd, env, quiet: true, timeoutMs: fetchTimeoutMs, signal: host.signal })
}

/** Wheels for the image's Python and C library, whatever the host's are; pip checks the hashes here and again in the image. */
async function fetchWheels(host: Host, context: string): Promise<void> {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
  const platforms = [
    `manylinux_2_28_${machine}`,
    `manylinux_2_17_${machine}`,
    `manylinux2014_${machine}`,
    `linux_${machine}`,
  ]
  const args = [
    ...[
      '-m',
      'pip',
      'download',
      '--quiet',
      '--disable-pip-version-check',
      '--require-hashes',
      '--only-binary',
      ':all:',
      '--no-deps',
    ],
    ...['--implementation', 'cp', '--python-version', pythonVersion],
    ...platforms.flatMap((platform) => ['--platform', platform]),
    ...['--dest', join(context, 'wheels'), '--requirement', join(context, 'requirements.txt')],
  ]
  const probe = await host.exec
    .run('python3', ['-m', 'pip', '--version'], { quiet: true, allowFailure: true })
    .catch(() => undefined)
  if (probe?.exitCode !== 0) {
    throw new UnsupportedError(`fetching the wheels of ${join(context, 'requirements.txt')} needs Python 3 with pip`, {
      hint: 'Install them (Debian, Ubuntu: python3-pip), or take published images.',
    })
  }
  await fetch(host, 'python3', args, context)
}

/** Ids of the arguments that are images here; others are no images, or are missing and the build will say so. */
async function baseIds(host: Host, names: readonly string[]): Promise<Record<string, string>> {
  const ids: Record<string, string> = {}
  for (const name of names) {
    ids[name] = (await findDockerImage(host, name))?.id ?? ''
  }
  return ids
}

async function keyOfImage(host: Host, tag: string): Promise<string | undefined> {
  const format = `{{index .Config.Labels "${keyLabel}"}}`
  const found = await host.exec.run('docker', ['image', 'inspect', '--format', format, tag], {
    quiet: true,
    allowFailure: true,
  })
  return found.exitCode === 0 ? found.stdout.trim() : undefined
}
