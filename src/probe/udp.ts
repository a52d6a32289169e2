import dgram from 'node:dgram'
import { isIPv6 } from 'node:net'
import { classify, type Outcome } from './dial.ts'
import type { UdpRequest } from './protocol.ts'

/** Ports below those that Linux hands out by itself: nobody else in a pod has them by chance. */
const lowestPort = 10_000
const portCount = 20_000
/** The clock turns the ports once in 200 s, longer than a kernel remembers a UDP flow (180 s at most), for all programs of a pod, which know nothing of each other. */
const portMs = 10
const mostTries = 20

let turn: number | undefined

/**
 * A port that no probe of this pod has had for minutes. Networks let go on what was let through once, and know a flow by its ports: a datagram from the port of an earlier
 * one would pass where nothing may.
 */
function freshPort(): number {
  turn = turn === undefined ? Math.floor(Date.now() / portMs) : turn + 1
  return lowestPort + (turn % portCount)
}

/** UDP has no handshake: `connected` means that something answered the datagram. A port nobody listens on is `refused`, as far as ICMP tells so. */
export async function probeUdp(request: UdpRequest): Promise<Outcome> {
  let outcome = await askFrom(freshPort(), request)
  for (let tries = 1; outcome === 'taken' && tries < mostTries; tries++) outcome = await askFrom(freshPort(), request)
  return outcome === 'taken' ? { dial: 'error', detail: `${mostTries} ports to ask from are taken` } : outcome
}

function askFrom(port: number, request: UdpRequest): Promise<Outcome | 'taken'> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(isIPv6(request.host) ? 'udp6' : 'udp4')
    const finish = (outcome: Outcome | 'taken'): void => {
      clearTimeout(timer)
      // An error may come after the answer.
      socket.removeAllListeners().on('error', () => {})
      socket.close()
      resolve(outcome)
    }
    const timer = setTimeout(
      () => finish({ dial: 'timeout', detail: `no answer within ${request.timeoutMs} ms` }),
      request.timeoutMs,
    )
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish(error.code === 'EADDRINUSE' ? 'taken' : classify(error)),
    )
    socket.on('message', () => finish({ dial: 'connected' }))
    // Connected, so that the kernel hands ICMP errors to this socket.
    socket.bind(port, () => socket.connect(request.port, request.host, () => socket.send('probe')))
  })
}
