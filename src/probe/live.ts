import { type Outcome, probeTcp } from './dial.ts'
import { probeHttp } from './http.ts'
import type { DialClass, LiveAnswer, LiveFrame, LiveRequest } from './protocol.ts'

const maxFrames = 200
const dialMs = 2_000

/** `connected` when the frame that was waited for came; otherwise the class of what went wrong, with all that was seen until then. */
export function probeLive(request: LiveRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = new WebSocket(request.url)
    const frames: LiveFrame[] = []
    let baseline: LiveFrame | undefined
    let trigger: LiveAnswer['trigger']
    let triggeredAt = 0
    let target: number | undefined
    let settle: NodeJS.Timeout | undefined
    let opened = false
    let done = false
    const finish = (dial: Outcome['dial'], detail?: string): void => {
      if (done) return
      done = true
      clearTimeout(timer)
      clearTimeout(settle)
      socket.close()
      const live: LiveAnswer = {
        ...(baseline === undefined ? {} : { baseline }),
        ...(trigger === undefined ? {} : { trigger }),
        frames,
      }
      resolve({ dial, live, ...(detail === undefined ? {} : { detail }) })
    }
    const timer = setTimeout(
      () =>
        finish(
          'timeout',
          baseline === undefined
            ? `no ${request.frameType} frame within ${request.timeoutMs} ms`
            : `no ${request.frameType} frame with ${request.field} ${target ?? '(unknown)'} within ${request.timeoutMs} ms`,
        ),
      request.timeoutMs,
    )
    // The frame may overtake the answer to the trigger, so both look.
    const judge = (): void => {
      const reached = target !== undefined && frames.some(({ frame }) => Number(frame[request.field]) >= Number(target))
      if (reached && settle === undefined) settle = setTimeout(() => finish('connected'), request.settleMs)
    }
    const fire = async (): Promise<void> => {
      triggeredAt = performance.now()
      const outcome = await probeHttp({ ...request.trigger, timeoutMs: request.timeoutMs })
      const { dial, http, detail } = outcome
      trigger = { dial, ...(http === undefined ? {} : { http }), ...(detail === undefined ? {} : { detail }) }
      if (http === undefined) finish(dial, `the trigger got no answer: ${detail ?? dial}`)
      else if (http.status < 200 || http.status > 299) finish('error', `the trigger was answered ${http.status}`)
      else {
        const answer = parseObject(http.body)?.[request.field]
        if (typeof answer !== 'number') finish('error', `the trigger's answer has no number "${request.field}"`)
        target = answer as number
        judge()
      }
    }
    // The browser API hides why a WebSocket failed; a plain dial tells where it ends.
    socket.addEventListener(
      'error',
      () => void explainFailure(request).then(({ dial, detail }) => finish(dial, detail)),
    )
    socket.addEventListener('close', (event) => {
      // After a failed handshake comes a close as well; the error tells more.
      if (opened) finish('reset', `the server closed the WebSocket (code ${event.code})`)
    })
    socket.addEventListener('open', () => {
      opened = true
    })
    socket.addEventListener('message', (event) => {
      const frame = parseObject(event.data)
      if (frame === undefined || frame['type'] !== request.frameType) return
      if (baseline === undefined) {
        baseline = { atMs: 0, frame }
        void fire()
        return
      }
      if (frames.length < maxFrames) frames.push({ atMs: Math.round(performance.now() - triggeredAt), frame })
      judge()
    })
  })
}

async function explainFailure({ url, timeoutMs }: LiveRequest): Promise<{ dial: DialClass; detail: string }> {
  const { hostname, port, protocol } = new URL(url)
  const dial = await probeTcp({
    kind: 'tcp',
    id: 'dial',
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'wss:' ? 443 : 80),
    timeoutMs: Math.min(timeoutMs, dialMs),
  })
  return dial.dial === 'connected'
    ? { dial: 'error', detail: 'the server accepts connections but refused the WebSocket' }
    : { dial: dial.dial, detail: dial.detail ?? dial.dial }
}

function parseObject(data: unknown): Record<string, unknown> | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const value: unknown = JSON.parse(data)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
