import { hostname } from 'node:os'
import { classify, type Outcome, probeTcp } from './dial.ts'
import { probeDns, readResolvConf } from './dns.ts'
import { probeHttp } from './http.ts'
import { probeLive } from './live.ts'
import type { ProbeBatch, ProbeRequest, ProbeResult } from './protocol.ts'
import { probeUdp } from './udp.ts'

const defaultConcurrency = 64

/** Where this process runs, as the downward API tells it. */
export interface Identity {
  readonly pod: string
  readonly node: string
}

/** Runs the batch, at most `concurrency` at once, and hands over each result as it comes. Never rejects: an error is a result. */
export async function runBatch(
  batch: ProbeBatch,
  identity: Identity,
  onResult: (result: ProbeResult) => void,
): Promise<void> {
  const waiting = [...batch.requests]
  const worker = async (): Promise<void> => {
    for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
      const started = performance.now()
      const outcome = await runOne(request, identity).catch((error: unknown): Outcome => classify(error))
      onResult({ id: request.id, elapsedMs: Math.round((performance.now() - started) * 10) / 10, ...outcome })
    }
  }
  const workers = Math.min(batch.concurrency ?? defaultConcurrency, batch.requests.length)
  await Promise.all(Array.from({ length: workers }, worker))
}

async function runOne(request: ProbeRequest, identity: Identity): Promise<Outcome> {
  switch (request.kind) {
    case 'hello':
      return {
        dial: 'connected',
        hello: { hostname: hostname(), ...identity, ...readResolvConf(), nodeVersion: process.version },
      }
    case 'tcp':
      return probeTcp(request)
    case 'udp':
      return probeUdp(request)
    case 'http':
      return probeHttp(request)
    case 'dns':
      return probeDns(request)
    case 'live':
      return probeLive(request)
  }
}
