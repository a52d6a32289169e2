import type { Host } from '../process/host.ts'

/** Asks the engine that the docker client is set up for; undefined when there is no client or no engine answers. */
export async function engineVersion(host: Pick<Host, 'exec'>, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await host.exec.run('docker', ['version', '--format', '{{.Server.Version}}'], {
      quiet: true,
      timeoutMs: 30_000,
      ...(signal === undefined ? {} : { signal }),
    })
    const version = stdout.trim()
    return /^\d/.test(version) ? version : undefined
  } catch {
    return undefined
  }
}
