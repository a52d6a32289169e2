package counter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/org/k8s-platform/voting-app/worker/internal/metrics"
	"github.com/org/k8s-platform/voting-app/worker/internal/queue"
	"github.com/org/k8s-platform/voting-app/worker/internal/store"
	"github.com/org/k8s-platform/voting-app/worker/internal/vote"
)

// memoryQueue keeps lists in memory; full refuses what a full Redis refuses.
type memoryQueue struct {
	pending, taken, invalid []string
	full                    bool
	takeErrors              []error
}

func (q *memoryQueue) Take(ctx context.Context, limit int, wait time.Duration) (queue.Batch, error) {
	if len(q.takeErrors) > 0 {
		err := q.takeErrors[0]
		q.takeErrors = q.takeErrors[1:]
		return queue.Batch{}, err
	}
	if len(q.taken) == 0 && len(q.pending) > 0 && q.full {
		return queue.Batch{}, queue.ErrFull
	}
	if len(q.taken) == 0 {
		n := min(limit, len(q.pending))
		q.taken, q.pending = slices.Clone(q.pending[:n]), q.pending[n:]
	}
	if len(q.taken) == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return queue.Batch{List: "taken", Payloads: slices.Clone(q.taken[:min(limit, len(q.taken))])}, ctx.Err()
}

func (q *memoryQueue) Peek(_ context.Context, skip, limit int) (queue.Batch, error) {
	skip = min(skip, len(q.pending))
	return queue.Batch{List: "pending", Payloads: slices.Clone(q.pending[skip:min(skip+limit, len(q.pending))])}, nil
}

func (q *memoryQueue) Acknowledge(_ context.Context, list string, payloads []string) error {
	from := map[string]*[]string{"taken": &q.taken, "pending": &q.pending}[list]
	for _, payload := range payloads {
		if i := slices.Index(*from, payload); i >= 0 {
			*from = slices.Delete(*from, i, i+1)
		}
	}
	return nil
}

func (q *memoryQueue) Quarantine(ctx context.Context, list, payload, reason string) error {
	if q.full {
		return queue.ErrFull
	}
	q.invalid = append(q.invalid, reason)
	return q.Acknowledge(ctx, list, []string{payload})
}

// memoryStore counts in memory; refuse makes it fail for a vote.
type memoryStore struct {
	counted []string
	errors  []error
	refuse  string
	arrived chan time.Time
}

func (s *memoryStore) Count(ctx context.Context, votes []vote.Vote) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if len(s.errors) > 0 {
		err := s.errors[0]
		s.errors = s.errors[1:]
		return 0, err
	}
	for _, v := range votes {
		if v.Voter == s.refuse {
			return 0, &store.Rejected{Reason: "not this one"}
		}
	}
	for _, v := range votes {
		s.counted = append(s.counted, v.Voter)
	}
	if s.arrived != nil {
		s.arrived <- time.Now()
	}
	return len(votes), nil
}

func payload(n int, voter string) string {
	return fmt.Sprintf(`{"voteId":"00000000-0000-4000-8000-%012d","voterId":%q,"choice":"a","sequence":%d,"acceptedAt":"2026-11-21T10:34:25Z"}`, n, voter, n+1)
}

func counter(q Queue, s Store, limit int) *Counter {
	m := metrics.New(func(context.Context) (int64, error) { return 0, nil })
	return New(q, s, m, slog.New(slog.NewTextHandler(io.Discard, nil)), limit)
}

func TestInvalidRecordsAreSetAsideAndBlockNothing(t *testing.T) {
	q := &memoryQueue{pending: []string{payload(1, "x"), "rubbish", payload(2, "y")}}
	s := &memoryStore{}
	c := counter(q, s, 10)
	if err := c.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.counted, []string{"x", "y"}) || len(q.invalid) != 1 || len(q.taken) != 0 {
		t.Fatalf("counted %v, invalid %v, left %v", s.counted, q.invalid, q.taken)
	}
	if got := testutil.ToFloat64(c.metrics.Invalid); got != 1 {
		t.Fatalf("metric %v", got)
	}
}

func TestOneRefusedVoteDoesNotTakeItsBatchDown(t *testing.T) {
	q := &memoryQueue{pending: []string{payload(1, "x"), payload(2, "bad"), payload(3, "y")}}
	s := &memoryStore{refuse: "bad"}
	if err := counter(q, s, 10).once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.counted, []string{"x", "y"}) || !slices.Equal(q.invalid, []string{"not this one"}) || len(q.taken) != 0 {
		t.Fatalf("counted %v, invalid %v, left %v", s.counted, q.invalid, q.taken)
	}
}

func TestVotesStayWhenTheStoreFails(t *testing.T) {
	q := &memoryQueue{pending: []string{payload(1, "x"), payload(2, "y")}}
	s := &memoryStore{errors: []error{errors.New("away")}}
	c := counter(q, s, 10)
	if err := c.once(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if len(q.taken) != 2 || testutil.ToFloat64(c.metrics.Errors.WithLabelValues("postgres")) != 1 {
		t.Fatalf("left %v", q.taken)
	}
	if err := c.once(t.Context()); err != nil || len(s.counted) != 2 || len(q.taken) != 0 {
		t.Fatalf("then %v: counted %v, left %v", err, s.counted, q.taken)
	}
}

func TestAFullQueueIsDrainedWhereItIs(t *testing.T) {
	q := &memoryQueue{full: true, pending: []string{"rubbish", "more", payload(1, "x"), payload(2, "y"), payload(3, "z")}}
	s := &memoryStore{}
	c := counter(q, s, 2)
	for range 3 {
		if err := c.once(t.Context()); err != nil && !errors.Is(err, queue.ErrFull) {
			t.Fatal(err)
		}
	}
	if !slices.Equal(s.counted, []string{"x", "y", "z"}) || !slices.Equal(q.pending, []string{"rubbish", "more"}) {
		t.Fatalf("counted %v, left %v", s.counted, q.pending)
	}
	q.full = false
	if err := c.once(t.Context()); err != nil || len(q.invalid) != 2 {
		t.Fatalf("%v, invalid %v", err, q.invalid)
	}
}

func TestInvalidRecordsAlreadyTakenDoNotBlockAFullQueue(t *testing.T) {
	q := &memoryQueue{full: true, taken: []string{"rubbish"}, pending: []string{payload(1, "x")}}
	s := &memoryStore{}
	_ = counter(q, s, 1).once(t.Context())
	if !slices.Equal(s.counted, []string{"x"}) {
		t.Fatalf("counted %v", s.counted)
	}
}

func TestRunBacksOffRecoversAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		q := &memoryQueue{takeErrors: []error{away, away, away, away, away, away, away, away}, pending: []string{payload(1, "x")}}
		s := &memoryStore{errors: []error{away}, arrived: make(chan time.Time, 1)}
		c := counter(q, s, 10)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		started := time.Now()
		go func() { c.Run(ctx); close(ended) }()
		// 0.1, 0.2, 0.4 ... capped at 1 s, half to whole: nine failures take from 3.25 to 6.5 s.
		if took := (<-s.arrived).Sub(started); took < 3*time.Second || took > 7*time.Second || !c.Progressing() {
			t.Errorf("recovered after %s, progressing %t", took, c.Progressing())
		}
		stop()
		<-ended
		time.Sleep(2 * stuckAfter)
		if c.Progressing() {
			t.Error("a loop that ended still counts as progressing")
		}
	})
}

func TestAStopLetsTheBatchInHandEnd(t *testing.T) {
	q := &memoryQueue{pending: []string{payload(1, "x")}}
	s := &memoryStore{}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := counter(q, s, 1).count(ctx, queue.Batch{List: "pending", Payloads: slices.Clone(q.pending)}); err != nil || len(s.counted) != 1 || len(q.pending) != 0 {
		t.Fatalf("%v: counted %v, left %v", err, s.counted, q.pending)
	}
}
