import { createServer, type Server } from 'node:net'

/** The NodePorts every cluster of ours maps to the host: vote, result and two spare. */
export const mappedNodePorts: readonly number[] = [30080, 30081, 30082, 30083]

/**
 * That many different free TCP ports of 127.0.0.1, as the kernel chooses them. All are held until the last is known, so none is given twice; between this
 * call and Docker's bind another process may still take one, which callers answer with a retry.
 */
export async function freeHostPorts(count: number): Promise<number[]> {
  const servers: Server[] = []
  try {
    for (let index = 0; index < count; index++) servers.push(await listen(0))
    return servers.map((server) => {
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
      return address.port
    })
  } finally {
    await Promise.all(servers.map(close))
  }
}

/** False when something already listens on that port of the address. What else may keep us from it, such as a lack of rights, Docker may not have. */
export async function isPortFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  try {
    await close(await listen(port, address))
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EADDRINUSE'
  }
}

function listen(port: number, host = '127.0.0.1'): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
