/**
 * What the toolkit asks of the probe script and what it answers. Only types live here: the script is sent into pods and must stay one file without
 * dependencies, the toolkit must not drag the script's code along.
 */

/** How a dial ended. A denial by a firewall is a `timeout` (dropped) or `refused` (rejected); only a positive control tells the latter from "no listener". */
export type DialClass = 'connected' | 'timeout' | 'refused' | 'reset' | 'dns' | 'unreachable' | 'error'

export type RecordType = 'A' | 'AAAA' | 'CNAME' | 'SRV' | 'PTR'

interface RequestBase {
  /** Unique within its batch; the result carries it. */
  readonly id: string
  /** Deadline of this one probe, milliseconds. */
  readonly timeoutMs: number
}

/** Who am I, and how does this pod resolve names. */
export interface HelloRequest extends RequestBase {
  readonly kind: 'hello'
}

/** Opens a TCP connection and closes it. */
export interface TcpRequest extends RequestBase {
  readonly kind: 'tcp'
  readonly host: string
  readonly port: number
}

/** Sends one datagram and waits for any answer: needs a server that answers whatever it is sent. */
export interface UdpRequest extends RequestBase {
  readonly kind: 'udp'
  readonly host: string
  readonly port: number
}

/** One HTTP request on a connection of its own: keep-alive would pin one backend. Redirects are not followed. */
export interface HttpRequest extends RequestBase {
  readonly kind: 'http'
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface DnsRequest extends RequestBase {
  readonly kind: 'dns'
  readonly name: string
  readonly type: RecordType
  readonly transport: 'udp' | 'tcp'
  /** Default: the first nameserver of /etc/resolv.conf. */
  readonly server?: { readonly address: string; readonly port?: number }
  /** True: the pod's search domains and ndots apply, as in its C library. False: the name is asked as it is. */
  readonly search: boolean
}

/**
 * Listens on a WebSocket while something happens: waits for the first frame (the baseline), sends `trigger`, and keeps frames until one's `field` is at
 * least that of the trigger's JSON answer, and for `settleMs` more, so that a change shown twice is seen.
 */
export interface LiveRequest extends RequestBase {
  readonly kind: 'live'
  readonly url: string
  /** Only JSON frames whose `type` is this are kept. */
  readonly frameType: string
  readonly trigger: Omit<HttpRequest, 'id' | 'timeoutMs' | 'kind'>
  /** A number in the frames and in the trigger's answer. */
  readonly field: string
  readonly settleMs: number
}

export type ProbeRequest = HelloRequest | TcpRequest | UdpRequest | HttpRequest | DnsRequest | LiveRequest

export interface HelloAnswer {
  readonly hostname: string
  /** From the downward API; empty outside of our own probe pods. */
  readonly pod: string
  readonly node: string
  readonly nameservers: readonly string[]
  readonly search: readonly string[]
  readonly ndots: number
  readonly nodeVersion: string
}

export interface HttpAnswer {
  readonly status: number
  /** Which pod answered, from the header `x-k8s-platform-pod` of our own identity server; otherwise undefined. */
  readonly identity?: string
  readonly bodySha256: string
  /** The first 4 KiB of the body. */
  readonly body: string
}

export interface DnsAnswer {
  /** The question that was answered, absolute: with search domains it tells which one matched. */
  readonly name: string
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL` or `RCODE<n>`. */
  readonly rcode: string
  /** Data of the records asked for: addresses, `priority weight port target`, or names without the final dot; sorted. */
  readonly answers: readonly string[]
  /** Targets of the CNAME records passed on the way. */
  readonly aliases: readonly string[]
  readonly server: string
  /** The UDP answer was cut and asked again over TCP, as a C library does. */
  readonly truncated: boolean
}

export interface LiveFrame {
  /** Milliseconds since the trigger was sent. */
  readonly atMs: number
  readonly frame: Readonly<Record<string, unknown>>
}

export interface LiveAnswer {
  readonly baseline?: LiveFrame
  readonly trigger?: { readonly dial: DialClass; readonly http?: HttpAnswer; readonly detail?: string }
  /** Frames after the baseline, at most 200. */
  readonly frames: readonly LiveFrame[]
}

/** The answer to one request: `connected` with the answer of its kind, or the class of failure with its detail. */
export interface ProbeResult {
  readonly id: string
  readonly dial: DialClass
  readonly elapsedMs: number
  /** Error code and message, for people. */
  readonly detail?: string
  readonly hello?: HelloAnswer
  readonly http?: HttpAnswer
  readonly dns?: DnsAnswer
  readonly live?: LiveAnswer
}

/** What is sent: the nonce marks our records among whatever else a stream may carry. */
export interface ProbeBatch {
  readonly nonce: string
  readonly requests: readonly ProbeRequest[]
  /** Most dials under way at once. Default 64. */
  readonly concurrency?: number
}
