import { ToolkitError } from '../process/errors.ts'
import type { Exec } from '../process/exec.ts'

type Docker = { readonly exec: Exec }
const quickMs = 60_000

/** An image as the local Docker knows it. */
export interface DockerImage {
  /** Digest of its configuration, with Docker's containerd store of its manifest or index. */
  readonly id: string
  readonly architecture: string
  readonly bytes: number
}

/** The image of that name or id; undefined where Docker has none. */
export async function findDockerImage(host: Docker, name: string): Promise<DockerImage | undefined> {
  const { exitCode, stdout } = await host.exec.run(
    'docker',
    ['image', 'inspect', '--format', '{{.Id}}\t{{.Architecture}}\t{{.Size}}', name],
    { quiet: true, allowFailure: true, timeoutMs: quickMs },
  )
  if (exitCode !== 0) return undefined
  const [id = '', architecture = '', bytes = '0'] = stdout.trim().split('\t')
  return { id, architecture, bytes: Number(bytes) }
}

export async function imageExists(host: Docker, name: string): Promise<boolean> {
  return (await findDockerImage(host, name)) !== undefined
}

/** Ids by name, of all at once. @throws ToolkitError IMAGE_MISSING when Docker does not have one of them. */
export async function imageIds(host: Docker, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const unique = [...new Set(names)]
  if (unique.length === 0) return new Map()
  const args = ['image', 'inspect', '--format', '{{.Id}}', ...unique]
  const { exitCode, stdout, stderr } = await host.exec.run('docker', args, {
    quiet: true,
    allowFailure: true,
    timeoutMs: quickMs,
  })
  const ids = stdout.split('\n').filter((id) => id !== '')
  if (exitCode !== 0 || ids.length !== unique.length) {
    throw new ToolkitError(`Docker does not have every image of ${unique.join(', ')}: ${stderr.trim()}`, {
      code: 'IMAGE_MISSING',
    })
  }
  return new Map(unique.map((name, index) => [name, ids[index] ?? '']))
}

/** Every name with a tag that Docker has, as it writes them. */
export async function dockerImageNames(host: Docker): Promise<readonly string[]> {
  const { stdout } = await host.exec.run('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}'], {
    quiet: true,
    timeoutMs: quickMs,
  })
  return stdout.split('\n').filter((name) => name !== '' && !name.includes('<none>'))
}

/** Pushes a local image under another name, which is there for the push alone. */
export async function pushImage(host: Docker, local: string, remote: string, timeoutMs: number): Promise<void> {
  await host.exec.run('docker', ['tag', local, remote], { quiet: true, timeoutMs: quickMs })
  try {
    await host.exec.run('docker', ['push', '--quiet', remote], { quiet: true, timeoutMs })
  } finally {
    await host.exec.run('docker', ['rmi', '--no-prune', remote], {
      quiet: true,
      allowFailure: true,
      timeoutMs: quickMs,
    })
  }
}
