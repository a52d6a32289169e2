import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { download } from '../tools/download.ts'
import { sha256OfFile } from '../tools/file-digest.ts'
import { firstOnPath } from '../tools/find-tool.ts'
import { type Architecture, supportedArchitecture } from '../tools/platform.ts'

/** What is downloaded, and what its archive must hash to. */
export interface HelmPin {
  readonly version: string
  /** sha256 of `helm-v<version>-linux-<arch>.tar.gz`, lower-case hex. */
  readonly sha256: Readonly<Record<Architecture, string>>
}

/**
 * Both read on 2026-11-21 in github.com/cert-manager/makefile-modules, modules/tools/00_mod.mk, lines 454 and 455 at commit
 * 8babc7fba79f78db8720bc07db3d395c494808c9, which brought helm v3.19.0 there.
 */
const pinned: HelmPin = {
  version: '3.19.0',
  sha256: {
    amd64: 'a7f81ce08007091b86d8bd696eb4d86b8d0f2e1b9f6c714be62f82f96a594496',
    arm64: '440cf7add0aee27ebc93fada965523c1dc2e0ab340d4348da2215737fc0d76ad',
  },
}

const extractMs = 60_000

/** Where helm comes from with `image-source: registry`, where that is not the pinned download from its own site. */
export interface HelmChoice {
  /** Replaces scheme and host of the download. */
  readonly downloadBaseUrl?: string
  /** `3.19.0@sha256:<digest of the archive>`, the pinned version by its number, or `preinstalled` for what PATH has. */
  readonly version?: string
}

/**
 * Path of helm. The archive is kept in the cache and checked against its digest at every use; the program is unpacked for this run alone, so that nobody can have
 * changed it meanwhile.
 * @throws DownloadError when it cannot be had, UnsupportedError on a machine there is none for.
 */
export async function helmProgram(
  host: Host,
  options: HelmChoice & {
    readonly machine?: { readonly platform: string; readonly arch: string }
    readonly pin?: HelmPin
  } = {},
): Promise<string> {
  if (options.version === 'preinstalled') return preinstalledHelm(host)
  const architecture = supportedArchitecture(options.machine ?? process)
  const { version, sha256 } = wantedHelm(options.pin ?? pinned, architecture, options.version)
  const name = `helm-v${version}-linux-${architecture}.tar.gz`
  const archive = path.join(host.paths.cache, 'tools', 'helm', version, name)
  if ((await sha256OfFile(archive).catch(() => undefined)) !== sha256) {
    const base = (options.downloadBaseUrl ?? 'https://get.helm.sh').replace(/\/+$/, '')
    await download(host, { what: `helm ${version}`, url: `${base}/${name}`, sha256, destination: archive, mode: 0o644 })
  }
  const folder = path.join(host.paths.temp, 'helm', 'program')
  await mkdir(folder, { recursive: true })
  const member = `linux-${architecture}/helm`
  const args = ['--extract', '--gzip', '--file', archive, '--directory', folder, '--strip-components=1', member]
  await host.exec.run('tar', args, { quiet: true, timeoutMs: extractMs })
  return path.join(folder, 'helm')
}

/** A digest that is given with the version wins; without one the version must be the pinned one. @throws UnsupportedError TOOL_UNPINNED */
function wantedHelm(
  pin: HelmPin,
  architecture: Architecture,
  asked: string | undefined,
): { version: string; sha256: string } {
  const [, version = pin.version, given] = /^v?([^@]+)(?:@sha256:(.+))?$/.exec(asked ?? '') ?? []
  if (given !== undefined || version === pin.version) return { version, sha256: given ?? pin.sha256[architecture] }
  throw new UnsupportedError(`helm ${version} has no digest pinned in this release; pinned: ${pin.version}`, {
    code: 'TOOL_UNPINNED',
    hint: `Give the digest of its archive with the version, \`${version}@sha256:<64 hex digits>\`, or opt in to what is installed with \`preinstalled\`.`,
  })
}

async function preinstalledHelm(host: Host): Promise<string> {
  const found = await firstOnPath('helm', host.env['PATH'] ?? '')
  if (found !== undefined) return found
  throw new UnsupportedError('helm is asked for as preinstalled, but no folder of PATH has it', {
    code: 'TOOL_MISSING',
    hint: 'Install helm, or leave the version out: then the pinned one is downloaded and verified.',
  })
}
