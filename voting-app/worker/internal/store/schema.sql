-- One row per vote, for ever: the proof that it was counted, and what makes counting idempotent.
CREATE TABLE IF NOT EXISTS votes (
  vote_id     uuid        PRIMARY KEY,
  voter_id    text        NOT NULL,
  choice      text        NOT NULL CHECK (choice IN ('a', 'b')),
  sequence    bigint      NOT NULL CHECK (sequence > 0),
  accepted_at timestamptz NOT NULL,
  counted_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- For the last sequence counted, which the result shows.
CREATE INDEX IF NOT EXISTS votes_sequence ON votes (sequence);

-- The vote of each voter that counts: the one accepted last, in whatever order the votes arrive here.
CREATE TABLE IF NOT EXISTS ballots (
  voter_id text   PRIMARY KEY,
  choice   text   NOT NULL CHECK (choice IN ('a', 'b')),
  sequence bigint NOT NULL
);
