// Shows the live scores and reconnects for as long as the page is open.
const FIRST_BACKOFF_MS = 250
const LAST_BACKOFF_MS = 5000
// The server pings every 15 s, which pages cannot see; it is asked by a look at the scores instead.
const CHECK_EVERY_MS = 20_000
const ANNOUNCE_EVERY_MS = 5000

const byId = (id) => document.getElementById(id)
const connection = byId('connection')
const announcement = byId('announcement')
const number = new Intl.NumberFormat(document.documentElement.lang)

let backoffMs = FIRST_BACKOFF_MS
let announceTimer

function connect() {
  const url = new URL('/ws', location.href)
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url)
  const opening = setTimeout(() => socket.close(), 5000)
  const checks = setInterval(() => {
    fetch('/api/scores', { cache: 'no-store', signal: AbortSignal.timeout(5000) }).then(
      async (response) => response.ok && show(await response.json()),
      () => socket.close(),
    )
  }, CHECK_EVERY_MS)

  socket.addEventListener('open', () => {
    clearTimeout(opening)
    backoffMs = FIRST_BACKOFF_MS
    setConnection('live', 'Live')
  })
  socket.addEventListener('message', (event) => {
    const frame = JSON.parse(event.data)
    if (frame.type === 'scores') show(frame)
  })
  socket.addEventListener('close', () => {
    clearTimeout(opening)
    clearInterval(checks)
    setConnection('lost', 'Reconnecting …')
    // Jitter, so that all pages do not fall upon a restarted server together.
    setTimeout(connect, backoffMs * (0.5 + Math.random() / 2))
    backoffMs = Math.min(2 * backoffMs, LAST_BACKOFF_MS)
  })
}

function setConnection(state, text) {
  connection.dataset.state = state
  byId('connection-text').textContent = text
}

function show({ scores, total, pod }) {
  for (const choice of ['a', 'b']) {
    const count = scores[choice]
    const share = total === 0 ? 0 : count / total
    byId(`percent-${choice}`).textContent = total === 0 ? '–' : `${percent(choice, scores, total)}%`
    byId(`count-${choice}`).textContent = votes(count)
    // By the object model: the page's policy refuses inline styles in markup only.
    byId(`bar-${choice}`).style.setProperty('--share', String(share))
  }
  byId('total').textContent = total === 0 ? 'No votes yet' : `${votes(total)} in all`
  byId('pod').textContent = pod
  announce(scores)
}

// b is what is left of 100, so that the two always add up.
function percent(choice, scores, total) {
  const a = Math.round((100 * scores.a) / total)
  return choice === 'a' ? a : 100 - a
}

const votes = (count) => `${number.format(count)} ${count === 1 ? 'vote' : 'votes'}`

// Screen readers hear the state now and then, not each of a thousand votes.
function announce(scores) {
  announcement.dataset.next = `${announcement.dataset.a}: ${votes(scores.a)}. ${announcement.dataset.b}: ${votes(scores.b)}.`
  announceTimer ??= setTimeout(() => {
    announceTimer = undefined
    if (announcement.textContent !== announcement.dataset.next) announcement.textContent = announcement.dataset.next
  }, ANNOUNCE_EVERY_MS)
}

connect()
