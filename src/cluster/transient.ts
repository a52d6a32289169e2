/** A failure of cluster creation that is known to pass by itself when tried again. */
export interface TransientFailure {
  /** What people read: `systemd of a node was too slow`. */
  readonly reason: string
  readonly signature: RegExp
}

/** Only what is known; anything else fails at once. Each signature is text that kind or Docker prints. */
const known: readonly TransientFailure[] = [
  {
    // kind gives each node container a fixed 30 s to reach its target, whatever --wait says.
    reason: 'the systemd of a node did not come up within the 30 s that kind allows',
    signature: /could not find a log line that matches/i,
  },
  {
    reason: 'another process took a host port between our choosing it and Docker binding it',
    signature: /port is already allocated|address already in use/i,
  },
  {
    reason: 'another process held the lock of iptables',
    signature: /xtables lock|iptables: Resource temporarily unavailable/i,
  },
  {
    reason: 'the connection to the registry broke while pulling',
    signature:
      /TLS handshake timeout|i\/o timeout|connection reset by peer|unexpected EOF|502 Bad Gateway|503 Service Unavailable/i,
  },
  {
    reason: 'another process made or removed the Docker network at the same moment',
    signature: /network with name \S+ already exists|Pool overlaps with other one|network \S+ not found/i,
  },
]

/** Why this failure is worth another try, or undefined when it is not a known transient one. `text` is the output of the failed command. */
export function transientFailure(text: string): TransientFailure | undefined {
  return known.find((failure) => failure.signature.test(text))
}
