WITH incoming AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
    AS vote (vote_id, voter_id, choice, sequence, accepted_at)
), counted AS (
  -- Ordered, here and below, so that two workers with votes in common lock in the same order.
  INSERT INTO votes (vote_id, voter_id, choice, sequence, accepted_at)
  SELECT * FROM incoming ORDER BY vote_id, sequence
  ON CONFLICT (vote_id) DO NOTHING
  RETURNING voter_id, choice, sequence
), cast_ballots AS (
  INSERT INTO ballots (voter_id, choice, sequence)
  SELECT DISTINCT ON (voter_id) voter_id, choice, sequence FROM counted ORDER BY voter_id, sequence DESC
  ON CONFLICT (voter_id) DO UPDATE SET choice = excluded.choice, sequence = excluded.sequence
    WHERE excluded.sequence > ballots.sequence
)
SELECT count(*), coalesce(max(sequence), 0) FROM counted
