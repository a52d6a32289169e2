import net from 'node:net'

export interface TcpProxy {
  readonly port: number
  /** From now on nothing goes through: open connections are reset, new ones too. */
  cut(): void
  close(): Promise<void>
}

/** Passes bytes on to another port of this machine until it is cut: a network that fails in the middle. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const open = new Set<net.Socket>()
  let isCut = false
  const server = net.createServer((incoming) => {
    if (isCut) {
      incoming.resetAndDestroy()
      return
    }
    const outgoing = net.connect(targetPort, '127.0.0.1')
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      open.add(socket)
      socket.pipe(other)
      socket.on('error', () => other.destroy())
      socket.on('close', () => open.delete(socket))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    isCut = true
    for (const socket of open) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as net.AddressInfo).port,
    cut,
    async close() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
