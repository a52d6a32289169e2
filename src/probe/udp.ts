import dgram from 'node:dgram'
import { isIPv6 } from 'node:net'
import { classify, type Outcome } from './dial.ts'
import type { UdpRequest } from './protocol.ts'

/** UDP has no handshake: `connected` means that something answered the datagram. A port nobody listens on is `refused`, as far as ICMP tells so. */
export function probeUdp(request: UdpRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(isIPv6(request.host) ? 'udp6' : 'udp4')
    const finish = (outcome: Outcome): void => {
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
    socket.on('error', (error) => finish(classify(error)))
    socket.on('message', () => finish({ dial: 'connected' }))
    // Connected, so that the kernel hands ICMP errors to this socket.
    socket.connect(request.port, request.host, () => socket.send('probe'))
  })
}
