// Votes without leaving the page. Without this script the form does the same.
const form = document.getElementById('vote-form')
const status = document.getElementById('status')
const pod = document.getElementById('pod')
const buttons = [...form.querySelectorAll('button.choice')]
const ATTEMPTS = 5

let busy = false

form.addEventListener('submit', async (event) => {
  const button = event.submitter
  if (!button) return
  event.preventDefault()
  if (busy) return
  busy = true
  for (const other of buttons) other.setAttribute('aria-disabled', 'true')
  say('Sending your vote …')
  try {
    const answer = await send({ voteId: newVoteId(), choice: button.value })
    for (const other of buttons) other.setAttribute('aria-pressed', String(other === button))
    pod.textContent = answer.pod
    say(`You voted for ${button.querySelector('.label').textContent}.`)
  } catch (error) {
    say(error.message, true)
  } finally {
    busy = false
    for (const other of buttons) other.removeAttribute('aria-disabled')
  }
})

// One vote keeps one voteId through all attempts: a repeat is counted once, so a lost answer costs nothing.
async function send(vote) {
  for (let attempt = 1; ; attempt++) {
    let waitSeconds = attempt
    try {
      const response = await fetch('/api/votes', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(vote),
        signal: AbortSignal.timeout(10_000),
      })
      if (response.ok) return await response.json()
      if (response.status < 500) {
        const { error } = await response.json()
        throw new Refused(error?.message ?? `Your vote was refused (${response.status}).`)
      }
      waitSeconds = Number(response.headers.get('Retry-After')) || attempt
    } catch (error) {
      if (error instanceof Refused) throw error
    }
    if (attempt === ATTEMPTS) throw new Error('Votes cannot be taken right now. Please try again in a moment.')
    say(`Votes cannot be taken right now; trying again (${attempt} of ${ATTEMPTS - 1}) …`, true)
    await new Promise((resolve) => setTimeout(resolve, waitSeconds * 1000))
  }
}

class Refused extends Error {}

function say(text, isError = false) {
  status.textContent = text
  status.classList.toggle('error', isError)
}

// crypto.randomUUID exists on https and localhost only; a NodePort on another host is neither.
function newVoteId() {
  if (crypto.randomUUID) return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6] & 0x0f) | 0x40
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
