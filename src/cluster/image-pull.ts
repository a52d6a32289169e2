import { CommandError, ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds, pause } from '../process/wait.ts'

/** A reason for which Docker did not get an image, as it can be read from what it prints. */
interface PullFault {
  readonly signature: RegExp
  /** Completes "the registry at HOST ...". */
  readonly what: string
  readonly hint: string
  /** Known to pass by itself. */
  readonly transient?: true
}

const faults: readonly PullFault[] = [
  {
    signature:
      /manifest verification failed|does not match (the )?(provided|expected) digest|unexpected commit digest|filesystem layer verification failed/i,
    what: 'gave another image than the digest names',
    hint: 'A mirror that serves another build, or tampering. Compare the digest with the publisher’s before anything else.',
  },
  {
    signature: /toomanyrequests|429 Too Many Requests|rate limit/i,
    what: 'refuses more pulls for now (rate limit)',
    hint: 'Log in to it (`docker login`) before this step, or give a `registry-mirror`.',
    transient: true,
  },
  {
    signature: /server gave HTTP response to HTTPS client/i,
    what: 'speaks plain HTTP, which Docker takes from this machine alone',
    hint: 'Serve the mirror by https, or list it under `insecure-registries` in /etc/docker/daemon.json.',
  },
  {
    signature: /x509:|certificate signed by unknown authority|certificate is not trusted/i,
    what: 'has a certificate that Docker does not trust',
    hint: 'Put its authority into /etc/docker/certs.d/<host>/ca.crt, and into the nodes by `extraMounts` in `config`, as docs/clusters.md shows.',
  },
  {
    signature:
      /invalid character '<'|text\/html|missing signature key|unsupported media type|mediaType in manifest|no supported manifest/i,
    what: 'answered with a page, not with an image',
    hint: 'A proxy, a login page or a mirror with another path layout answers in its place; open its /v2/ from this machine to see it.',
  },
  {
    signature: /unauthorized|authentication required|no basic auth credentials|access .*denied|403 Forbidden/i,
    what: 'wants credentials',
    hint: 'Log in to it (`docker login`) before this step. The nodes have no credentials: a mirror for them must do without.',
  },
  {
    signature: /manifest unknown|manifest for \S+ not found|name unknown|404 Not Found|: not found/i,
    what: 'does not have it',
    hint: 'Check the name and the version; a pull-through mirror must be allowed to fetch from the upstream registry.',
  },
  {
    signature:
      /connection refused|no such host|no route to host|network is unreachable|server misbehaving|i\/o timeout|TLS handshake timeout|deadline exceeded|Client\.Timeout/i,
    what: 'cannot be reached',
    hint: 'Where this machine reaches only a mirror, give it as `registry-mirror`; where it reaches only package registries, use `image-source: packages`.',
    transient: true,
  },
  {
    signature: /connection reset by peer|\bEOF\b|50[0234] |Internal Server Error|Bad Gateway|Service Unavailable/i,
    what: 'broke off',
    hint: 'Try again; if it stays, the mirror or the way to it is at fault.',
    transient: true,
  },
]

const pullMs = 900_000
const attempts = 3

/**
 * Pulls an image with the host's Docker. What is known to pass is tried again, a bounded number of times and shown; what is left names the registry and its fault.
 * @throws ToolkitError IMAGE_PULL_FAILED
 */
export async function pullOnHost(host: Host, image: string, backOffMs = 2_000): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await host.exec.run('docker', ['pull', '--quiet', image], { timeoutMs: pullMs })
      return
    } catch (error) {
      if (!(error instanceof CommandError) || host.signal.aborted) throw error
      const fault = faults.find(({ signature }) => signature.test(error.stderr))
      if (fault?.transient !== true || attempt >= attempts) throw pullError(image, fault, error)
      const waitMs = backOffMs * 2 ** (attempt - 1)
      const next = `try ${attempt + 1} of ${attempts} in ${formatSeconds(waitMs)}`
      host.log.warning(`${image}: the registry ${fault.what}; ${next}`)
      await pause(waitMs, host.signal)
    }
  }
}

function pullError(image: string, fault: PullFault | undefined, error: CommandError): ToolkitError {
  const registry = image.slice(0, image.indexOf('/'))
  const said = error.stderr.trim().split('\n').at(-1) ?? ''
  const what = fault === undefined ? said || error.message : `the registry at ${registry} ${fault.what}: ${said}`
  return new ToolkitError(`${image} cannot be pulled: ${what}`, {
    code: 'IMAGE_PULL_FAILED',
    hint: fault?.hint ?? `Try it by hand: \`docker pull ${image}\`.`,
    diagnostics: error.stderr.split('\n').slice(-20),
    cause: error,
  })
}
