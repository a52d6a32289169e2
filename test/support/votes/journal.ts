/** What a client knows of one vote it has sent, however often. */
export interface JournalEntry {
  readonly voteId: string
  readonly voterId: string
  readonly choice: 'a' | 'b'
  readonly answers: readonly VoteAnswer[]
}

/** One answer to one try; `status` is null where there was none. */
export interface VoteAnswer {
  readonly status: number | null
  readonly sequence?: number
  readonly error?: string
}

/** A row of `votes`, and one of `ballots`, of the voters of the journal. */
export interface VoteRow {
  readonly voteId: string
  readonly voterId: string
  readonly choice: string
  readonly sequence: number
}

export interface BallotRow {
  readonly voterId: string
  readonly choice: string
}

export interface Comparison {
  readonly acknowledged: number
  /** Neither confirmed nor refused: the network or the answer 503 left it open. Each is one of the two. */
  readonly inDoubt: { readonly stored: readonly string[]; readonly notStored: readonly string[] }
  /** Voters who voted again: only the vote accepted last may count. */
  readonly changes: number
  /** All that must not be: one line each. */
  readonly wrong: readonly string[]
}

export function isAcknowledged(entry: JournalEntry): boolean {
  return entry.answers.some(({ status }) => status === 200 || status === 201)
}

function isRefused(entry: JournalEntry): boolean {
  return entry.answers.every(({ status }) => status !== null && status >= 400 && status < 500)
}

/** Holds the client's journal against the database: nothing acknowledged is lost, nothing counts twice, nothing comes from nowhere. */
export function compareJournal(
  journal: readonly JournalEntry[],
  votes: readonly VoteRow[],
  ballots: readonly BallotRow[],
): Comparison {
  const wrong: string[] = []
  const rows = new Map<string, VoteRow>()
  for (const row of votes) {
    if (rows.has(row.voteId)) wrong.push(`vote ${row.voteId} is stored twice`)
    rows.set(row.voteId, row)
  }
  const inDoubt = { stored: [] as string[], notStored: [] as string[] }
  let acknowledged = 0
  for (const entry of journal) {
    const row = rows.get(entry.voteId)
    const said = row !== undefined && row.voterId === entry.voterId && row.choice === entry.choice
    if (row !== undefined && !said) wrong.push(`vote ${entry.voteId} is stored as another one`)
    if (isAcknowledged(entry)) {
      acknowledged += 1
      if (row === undefined) wrong.push(`vote ${entry.voteId} was acknowledged and is lost`)
      else wrong.push(...wrongSequences(entry, row))
    } else if (isRefused(entry)) {
      if (row !== undefined) wrong.push(`vote ${entry.voteId} was refused and is stored`)
    } else inDoubt[row === undefined ? 'notStored' : 'stored'].push(entry.voteId)
  }
  const known = new Set(journal.map((entry) => entry.voteId))
  for (const row of votes) if (!known.has(row.voteId)) wrong.push(`vote ${row.voteId} is stored and nobody sent it`)
  wrong.push(...wrongBallots(votes, ballots))
  const voters = new Set(votes.map((row) => row.voterId))
  return { acknowledged, inDoubt, changes: votes.length - voters.size, wrong }
}

/** The number that the client was told orders a voter's choices: another one in the database may count another choice. */
function wrongSequences(entry: JournalEntry, row: VoteRow): string[] {
  return entry.answers
    .filter(({ status, sequence }) => (status === 200 || status === 201) && sequence !== row.sequence)
    .map(
      ({ sequence }) => `vote ${entry.voteId} was acknowledged as number ${sequence} and is stored as ${row.sequence}`,
    )
}

/** One ballot a voter, with the choice accepted last. */
function wrongBallots(votes: readonly VoteRow[], ballots: readonly BallotRow[]): string[] {
  const wrong: string[] = []
  const last = new Map<string, VoteRow>()
  for (const row of votes) if (row.sequence > (last.get(row.voterId)?.sequence ?? 0)) last.set(row.voterId, row)
  const counted = new Map<string, string>()
  for (const { voterId, choice } of ballots) {
    if (counted.has(voterId)) wrong.push(`voter ${voterId} counts twice`)
    counted.set(voterId, choice)
    if (!last.has(voterId)) wrong.push(`voter ${voterId} counts without a vote`)
  }
  for (const [voterId, { choice }] of last) {
    const ballot = counted.get(voterId)
    if (ballot === undefined) wrong.push(`voter ${voterId} does not count`)
    else if (ballot !== choice) wrong.push(`voter ${voterId} counts as ${ballot}, and chose ${choice} last`)
  }
  return wrong
}
