import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { probeUdp } from '../../../src/probe/udp.ts'

let server: dgram.Socket
let port: number
const askedFrom: number[] = []

beforeEach(async () => {
  server = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  server.on('message', (_message, from) => {
    askedFrom.push(from.port)
    server.send('answer', from.port, from.address)
  })
})
afterEach(() => {
  askedFrom.length = 0
  server.close()
})

const ask = () => probeUdp({ kind: 'udp', id: 'one', host: '127.0.0.1', port, timeoutMs: 5_000 })

it('asks from a port of its own each time, none that the kernel would hand out', async () => {
  for (let i = 0; i < 100; i++) expect(await ask()).toEqual({ dial: 'connected' })
  expect(new Set(askedFrom).size).toBe(100)
  expect(askedFrom.every((from) => from >= 10_000 && from < 30_000)).toBe(true)
})

it('passes over a port that is taken', async () => {
  await ask()
  const next = (askedFrom[0] ?? 0) + 1
  const holder = dgram.createSocket('udp4').bind(next)
  await once(holder, 'listening')
  expect(await ask()).toEqual({ dial: 'connected' })
  holder.close()
  expect(askedFrom).toEqual([next - 1, next + 1])
})
