/**
 * What the pods of the NetworkPolicy tests run: one file without dependencies, mounted from a ConfigMap, its types stripped by Node.
 * - SERVE=8080/TCP,8080/UDP: echoes whatever it is sent on those ports.
 * - DIAL=name=10.244.1.3:8080,...: from its first moment on dials each of them every EVERY_MS, and prints a line for each dial.
 * - HOLD=name=10.244.1.3:8080: keeps one connection open, sends a byte every EVERY_MS and prints a line for each echo.
 */
import dgram from 'node:dgram'
import net from 'node:net'

/** A line of the pod's log: when the dial began, what became of it. Clocks of nodes on one machine agree with the test's. */
export interface DialLine {
  readonly at: number
  readonly target: string
  /** `echo` and `lost` are of the held connection. */
  readonly dial: 'connected' | 'timeout' | 'refused' | 'unreachable' | 'error' | 'echo' | 'lost'
  readonly elapsedMs: number
}

const everyMs = Number(process.env['EVERY_MS'] ?? 50)
/** Below the second after which TCP sends its first packet again: a dial that succeeds was let through at once. */
const dialMs = 900

const parts = (name: string): string[] => (process.env[name] ?? '').split(',').filter((part) => part !== '')
const say = (line: DialLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

for (const entry of parts('SERVE')) {
  const [port = '', protocol] = entry.split('/')
  if (protocol === 'UDP') {
    const socket = dgram.createSocket('udp4')
    socket.on('message', (data, from) => socket.send(data, from.port, from.address))
    socket.bind(Number(port))
  } else {
    net.createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket)).listen(Number(port))
  }
}

for (const { target, host, port } of parts('DIAL').map(parseTarget)) {
  const dialOnce = (): void => dial(target, host, port)
  dialOnce()
  setInterval(dialOnce, everyMs)
}
for (const { target, host, port } of parts('HOLD').map(parseTarget)) hold(target, host, port)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))

function parseTarget(text: string): { target: string; host: string; port: number } {
  const [target = '', address = ''] = text.split('=')
  const [host = '', port = ''] = address.split(':')
  return { target, host, port: Number(port) }
}

function dial(target: string, host: string, port: number): void {
  const at = Date.now()
  const socket = net.connect({ host, port })
  let ended = false
  const end = (result: DialLine['dial']): void => {
    if (ended) return
    ended = true
    clearTimeout(timer)
    socket.destroy()
    say({ at, target, dial: result, elapsedMs: Date.now() - at })
  }
  const timer = setTimeout(() => end('timeout'), dialMs)
  socket.on('connect', () => end('connected'))
  socket.on('error', (error: NodeJS.ErrnoException) => end(classOf(error.code)))
}

function classOf(code: string | undefined): DialLine['dial'] {
  if (code === 'ECONNREFUSED') return 'refused'
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'unreachable'
  return code === 'ETIMEDOUT' ? 'timeout' : 'error'
}

function hold(target: string, host: string, port: number): void {
  const socket = net.connect({ host, port })
  const sent: number[] = []
  const lose = (): void => {
    clearInterval(timer)
    say({ at: Date.now(), target, dial: 'lost', elapsedMs: 0 })
  }
  const timer = setInterval(() => {
    if (socket.readyState !== 'open') return
    sent.push(Date.now())
    socket.write('.')
  }, everyMs)
  socket.on('data', (data) => {
    for (const at of sent.splice(0, data.length)) say({ at, target, dial: 'echo', elapsedMs: Date.now() - at })
  })
  socket.on('error', () => {})
  socket.on('close', lose)
}
