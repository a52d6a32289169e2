/** A failure of cluster creation that is known to pass by itself when tried again. */
export interface TransientFailure {
  /** What people read: `systemd of a node was too slow`. */
  readonly reason: string
  readonly signature: RegExp
}

const portTaken =
  /Bind for \S+ failed: port is already allocated|listen tcp[46]? \S+: bind: address already in use|failed to bind host port (?:for )?\S+.*address already in use/i

/**
 * Only what is known; anything else fails at once. Each signature is text that kind or Docker prints: kind's read in its source at fed26882
 * (pkg/cluster/internal/providers/docker/network.go and provision.go, common/cgroups.go), Docker's in reports such as rancher/rancher#28636 and siderolabs/talos#1656.
 */
const known: readonly TransientFailure[] = [
  {
    // kind gives each node container a fixed 30 s to reach its target, whatever --wait says.
    reason: 'the systemd of a node did not come up within the 30 s that kind allows',
    signature: /could not find a log line that matches/i,
  },
  {
    reason: 'another process took a host port between our choosing it and Docker binding it',
    signature: portTaken,
  },
  {
    reason: 'another process held the lock of iptables',
    signature: /holding the xtables lock|iptables: Resource temporarily unavailable/i,
  },
  {
    // Only where Docker was pulling: kubeadm prints the same words of an API server that never answers.
    reason: 'the connection to the registry broke while pulling',
    signature:
      /failed to pull image[\s\S]*(TLS handshake timeout|i\/o timeout|connection reset by peer|unexpected EOF|502 Bad Gateway|503 Service Unavailable)/i,
  },
  {
    reason: 'another process made or removed the Docker network at the same moment',
    signature:
      /network with name \S+ already exists|Pool overlaps with other one|Error response from daemon: network \S+ not found/i,
  },
]

/**
 * Why this failure is worth another try, or undefined when it is not a known transient one. `text` is the output of the failed command, `askedPorts` are host ports that
 * somebody asked for by number: those are as taken then as now, the others are chosen anew.
 */
export function transientFailure(text: string, askedPorts: readonly number[] = []): TransientFailure | undefined {
  const failure = known.find(({ signature }) => signature.test(text))
  if (failure?.signature !== portTaken) return failure
  const port = takenPort(text)
  return port !== undefined && askedPorts.includes(port) ? undefined : failure
}

/** The host port that Docker could not bind: the last number after a colon of the address that its sentence names. */
export function takenPort(text: string): number | undefined {
  const sentence = portTaken.exec(text)?.[0]
  const address = /(?:Bind for|listen tcp[46]?|bind host port(?: for)?) (\S+)/i.exec(sentence ?? '')?.[1]
  const port = /:(\d+)(?::\S*)?(?:\/tcp)?:?$/.exec(address ?? '')?.[1]
  return port === undefined ? undefined : Number(port)
}
