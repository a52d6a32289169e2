package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/org/k8s-platform/voting-app/worker/internal/testenv"
	"github.com/org/k8s-platform/voting-app/worker/internal/vote"
)

var server *testenv.Server

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Host: "127.0.0.1", Port: server.Port, User: "postgres", Database: "postgres", SSLMode: "prefer"})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func v(n int, voter, choice string, sequence int64) vote.Vote {
	return vote.Vote{ID: id(n), Voter: voter, Choice: choice, Sequence: sequence, AcceptedAt: time.Now()}
}

func ballots(t *testing.T, s *Store) map[string]string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), "SELECT voter_id, choice FROM ballots")
	must(t, err)
	got := map[string]string{}
	var voter, choice string
	_, err = pgx.ForEachRow(rows, []any{&voter, &choice}, func() error { got[voter] = choice; return nil })
	must(t, err)
	return got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// One server serves all; each part begins with an empty schema.
func TestStore(t *testing.T) {
	server = testenv.Postgres(t)
	for name, test := range map[string]func(*testing.T, *Store){
		"many workers create the schema at once":          createAtOnce,
		"a repeat is counted once":                        countOnce,
		"a voter's last accepted vote counts":             lastAccepted,
		"a commit is announced with its last sequence":    announced,
		"lost tables are made again":                      lostTables,
		"refused data is told from a refused moment":      refused,
		"read-only is not ready":                          readOnly,
		"workers with votes in common do not deadlock":    common,
		"an impatient server default still means durable": durable,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			_, err := s.pool.Exec(t.Context(), "DROP TABLE IF EXISTS votes, ballots")
			must(t, err)
			test(t, s)
		})
	}
}

func createAtOnce(t *testing.T, _ *Store) {
	var all sync.WaitGroup
	problems := make(chan error, 8)
	for range 8 {
		s := open(t)
		all.Go(func() { problems <- s.Migrate(t.Context()) })
	}
	all.Wait()
	for range 8 {
		must(t, <-problems)
	}
}

func countOnce(t *testing.T, s *Store) {
	first, err := s.Count(t.Context(), []vote.Vote{v(1, "x", "a", 1), v(1, "x", "a", 1), v(2, "y", "b", 2)})
	if err != nil || first != 2 {
		t.Fatalf("counted %d, %v", first, err)
	}
	// The id again, with another choice and a later place: the first one stands.
	again, err := s.Count(t.Context(), []vote.Vote{v(1, "x", "b", 9)})
	if err != nil || again != 0 {
		t.Fatalf("counted %d, %v", again, err)
	}
	if got := ballots(t, s); got["x"] != "a" || got["y"] != "b" || len(got) != 2 {
		t.Fatalf("ballots %v", got)
	}
}

func lastAccepted(t *testing.T, s *Store) {
	for _, batch := range [][]vote.Vote{{v(3, "x", "a", 30)}, {v(1, "x", "b", 10), v(2, "x", "b", 20)}, {v(4, "y", "a", 41), v(5, "y", "b", 40)}} {
		counted, err := s.Count(t.Context(), batch)
		if err != nil || counted != len(batch) {
			t.Fatalf("counted %d of %d, %v", counted, len(batch), err)
		}
	}
	if got := ballots(t, s); got["x"] != "a" || got["y"] != "a" {
		t.Fatalf("ballots %v", got)
	}
}

func announced(t *testing.T, s *Store) {
	listener, err := pgx.ConnectConfig(t.Context(), s.pool.Config().ConnConfig.Copy())
	must(t, err)
	defer listener.Close(context.Background())
	_, err = listener.Exec(t.Context(), "LISTEN "+Channel)
	must(t, err)
	_, err = s.Count(t.Context(), []vote.Vote{v(1, "x", "a", 7), v(2, "y", "a", 1795257265727160)})
	must(t, err)
	_, err = s.Count(t.Context(), []vote.Vote{v(1, "x", "a", 7)}) // nothing new: not announced
	must(t, err)
	_, err = s.Count(t.Context(), []vote.Vote{v(3, "z", "a", 1795257265727161)})
	must(t, err)
	var got []string
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		n, err := listener.WaitForNotification(ctx)
		must(t, err)
		got = append(got, n.Payload)
	}
	if !slices.Equal(got, []string{"1795257265727160", "1795257265727161"}) {
		t.Fatalf("announced %v", got)
	}
}

func lostTables(t *testing.T, s *Store) {
	_, err := s.Count(t.Context(), []vote.Vote{v(1, "x", "a", 1)})
	must(t, err)
	_, err = s.pool.Exec(t.Context(), "DROP TABLE votes, ballots")
	must(t, err)
	if _, err := s.Count(t.Context(), []vote.Vote{v(2, "x", "a", 2)}); err == nil {
		t.Fatal("no error without tables")
	}
	counted, err := s.Count(t.Context(), []vote.Vote{v(2, "x", "a", 2)})
	if err != nil || counted != 1 {
		t.Fatalf("counted %d, %v", counted, err)
	}
}

func refused(t *testing.T, s *Store) {
	var rejected *Rejected
	_, err := s.Count(t.Context(), []vote.Vote{v(1, "x", "c", 1)})
	if !errors.As(err, &rejected) {
		t.Fatalf("want Rejected, got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Count(ctx, []vote.Vote{v(1, "x", "a", 1)})
	if err == nil || errors.As(err, &rejected) {
		t.Fatalf("want another error, got %v", err)
	}
}

func readOnly(t *testing.T, s *Store) {
	must(t, s.Ping(t.Context()))
	_, err := s.pool.Exec(t.Context(), "ALTER SYSTEM SET default_transaction_read_only = on")
	must(t, err)
	_, err = s.pool.Exec(t.Context(), "SELECT pg_reload_conf()")
	must(t, err)
	testenv.Eventually(t, "read-only noticed", 5*time.Second, func() error {
		if s.Ping(t.Context()) == nil {
			return errors.New("still ready")
		}
		return nil
	})
	for _, statement := range []string{"ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"} {
		_, err = s.pool.Exec(t.Context(), statement)
		must(t, err)
	}
	testenv.Eventually(t, "ready again", 5*time.Second, func() error { return s.Ping(t.Context()) })
}

func common(t *testing.T, s *Store) {
	must(t, s.Migrate(t.Context()))
	var all sync.WaitGroup
	problems := make(chan error, 8)
	for worker := range 8 {
		own := open(t)
		all.Go(func() {
			votes := make([]vote.Vote, 200)
			for i := range votes {
				n := (i*(2*worker+1) + worker) % 200
				votes[i] = v(n+1, fmt.Sprintf("voter-%d", n%50), "a", int64(n+1))
			}
			_, err := own.Count(t.Context(), votes)
			problems <- err
		})
	}
	all.Wait()
	for range 8 {
		must(t, <-problems)
	}
	var rows int
	must(t, s.pool.QueryRow(t.Context(), "SELECT count(*) FROM votes").Scan(&rows))
	if got := len(ballots(t, s)); rows != 200 || got != 50 {
		t.Fatalf("%d votes, %d ballots", rows, got)
	}
}

func durable(t *testing.T, s *Store) {
	_, err := s.pool.Exec(t.Context(), "ALTER ROLE postgres SET synchronous_commit = off")
	must(t, err)
	defer s.pool.Exec(context.Background(), "ALTER ROLE postgres RESET synchronous_commit")
	var got string
	must(t, open(t).pool.QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&got))
	if got != "on" {
		t.Fatalf("synchronous_commit is %s", got)
	}
}
