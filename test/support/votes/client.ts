import { Agent, request } from 'node:http'
import type { JournalEntry, VoteAnswer } from './journal.ts'
import { seededRandom, seededUuid } from './random.ts'

export interface VoteLoad {
  readonly url: string
  readonly votes: number
  readonly perSecond: number
  readonly seed: number
  /** First part of every voter's name, by which the database's rows of this run are found. */
  readonly voters: string
  /** Called with each answer, the first one of a vote and later ones. */
  readonly onAnswer?: (answer: VoteAnswer, entry: JournalEntry) => void
  /** Ends it before all votes are sent: no new one, and none again. */
  readonly stop?: AbortSignal
}

const answerMs = 5_000
const retryMs = 1_500
const mostTries = 4
const tickMs = 10

/**
 * Sends votes at their times, whether or not earlier ones are answered: a slow or dead service makes nobody wait to vote. One voter in ten votes again. Of the votes
 * without an answer every second one is sent again under the same id, as the page does it; the others stay in doubt.
 */
export function sendVotes(load: VoteLoad): Promise<JournalEntry[]> {
  const random = seededRandom(load.seed)
  const agent = new Agent({ keepAlive: true })
  const journal: (JournalEntry & { answers: VoteAnswer[]; readonly persistent: boolean })[] = []
  const again: { readonly at: number; readonly send: () => void }[] = []
  let open = 0
  const started = performance.now()

  const send = (entry: (typeof journal)[number]): void => {
    open += 1
    void post(agent, load.url, entry).then((answer) => {
      open -= 1
      entry.answers.push(answer)
      load.onAnswer?.(answer, entry)
      const unanswered = answer.status === null || answer.status >= 500
      if (unanswered && entry.persistent && entry.answers.length < mostTries)
        again.push({ at: performance.now() + retryMs, send: () => send(entry) })
    })
  }

  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now()
      const stopped = load.stop?.aborted === true
      if (stopped) again.splice(0)
      const most = stopped ? journal.length : load.votes
      const due = Math.min(most, Math.floor(((now - started) / 1000) * load.perSecond) + 1)
      while (journal.length < due) {
        const voter = journal.length > 0 && random() < 0.1 ? Math.floor(random() * journal.length) : journal.length
        const entry = {
          voteId: seededUuid(random),
          voterId: `${load.voters}-${voter}`,
          choice: random() < 0.5 ? ('a' as const) : ('b' as const),
          answers: [],
          persistent: random() < 0.5,
        }
        journal.push(entry)
        send(entry)
      }
      for (const one of again.filter(({ at }) => at <= now)) {
        again.splice(again.indexOf(one), 1)
        one.send()
      }
      if (journal.length < most || open > 0 || again.length > 0) return
      clearInterval(timer)
      agent.destroy()
      resolve(journal.map(({ persistent: _persistent, ...entry }) => entry))
    }, tickMs)
  })
}

function post(agent: Agent, url: string, vote: JournalEntry): Promise<VoteAnswer> {
  const body = JSON.stringify({ voteId: vote.voteId, voterId: vote.voterId, choice: vote.choice })
  return new Promise((resolve) => {
    const sent = request(
      `${url}/api/votes`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        signal: AbortSignal.timeout(answerMs),
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', (error) => resolve({ status: null, error: error.message }))
        response.on('end', () => resolve(answerOf(response.statusCode ?? 0, Buffer.concat(chunks).toString(), vote)))
      },
    )
    sent.on('error', (error) => resolve({ status: null, error: error.message }))
    sent.end(body)
  })
}

/** An acknowledgement names the vote; anything else with a good status is not one. */
function answerOf(status: number, body: string, vote: JournalEntry): VoteAnswer {
  if (status !== 200 && status !== 201) return { status, error: body.slice(0, 200) }
  try {
    const { voteId, sequence } = JSON.parse(body) as { voteId?: string; sequence?: number }
    if (voteId === vote.voteId && sequence !== undefined) return { status, sequence }
  } catch {
    // Told below.
  }
  return { status: null, error: `status ${status} without the vote: ${body.slice(0, 200)}` }
}
