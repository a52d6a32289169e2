import http from 'node:http'
import { identityHeader } from './http.ts'
import type { Identity } from './run-probe.ts'

/** The port probe pods answer on; above 1024, as they run without privileges. */
export const identityPort = 8080

/** Answers every request with who answers it: the proof that a Service reaches this very pod. Ends on SIGTERM. */
export function serveIdentity(identity: Identity, port: number = identityPort): http.Server {
  const server = http.createServer((_request, response) => {
    response.setHeader(identityHeader, identity.pod)
    response.setHeader('content-type', 'application/json')
    response.setHeader('connection', 'close')
    response.end(`${JSON.stringify(identity)}\n`)
  })
  server.listen(port)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
  return server
}
