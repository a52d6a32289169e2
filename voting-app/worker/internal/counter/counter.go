// Package counter is the worker's loop: take votes, count them, acknowledge them.
package counter

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/org/k8s-platform/voting-app/worker/internal/metrics"
	"github.com/org/k8s-platform/voting-app/worker/internal/queue"
	"github.com/org/k8s-platform/voting-app/worker/internal/vote"

	"github.com/org/k8s-platform/voting-app/worker/internal/store"
)

const (
	takeWait     = time.Second
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = time.Second
	// An iteration waits for nothing longer than its deadlines, about 20 s in all.
	stuckAfter = time.Minute
	// After a stop, how long the batch in hand may still take.
	finishWithin = 8 * time.Second
)

// Queue is where votes come from; *queue.Queue is one.
type Queue interface {
	Take(ctx context.Context, limit int, wait time.Duration) (queue.Batch, error)
	Peek(ctx context.Context, skip, limit int) (queue.Batch, error)
	Acknowledge(ctx context.Context, list string, payloads []string) error
	Quarantine(ctx context.Context, list, payload, reason string) error
}

// Store is where votes are counted; *store.Store is one.
type Store interface {
	Count(ctx context.Context, votes []vote.Vote) (int, error)
}

// Counter moves votes from a Queue to a Store.
type Counter struct {
	queue    Queue
	store    Store
	metrics  *metrics.Metrics
	log      *slog.Logger
	limit    int
	lastTurn atomic.Int64
}

// New makes a Counter that takes up to limit votes at once.
func New(q Queue, s Store, m *metrics.Metrics, log *slog.Logger, limit int) *Counter {
	c := &Counter{queue: q, store: s, metrics: m, log: log, limit: limit}
	c.turn()
	return c
}

// Progressing reports whether the loop has turned lately. A loop that waits for a dead database does turn.
func (c *Counter) Progressing() bool {
	return time.Since(time.Unix(0, c.lastTurn.Load())) < stuckAfter
}

func (c *Counter) turn() { c.lastTurn.Store(time.Now().UnixNano()) }

// Run counts votes until ctx ends; the batch in hand is finished first, within a few seconds.
func (c *Counter) Run(ctx context.Context) {
	backoff, failing := firstBackoff, false
	for ctx.Err() == nil {
		c.turn()
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			if failing {
				c.log.Info("counting again")
			}
			backoff, failing = firstBackoff, false
			continue
		}
		failing = true
		c.log.Warn("votes wait", "error", err.Error(), "retryIn", backoff.String())
		select {
		case <-ctx.Done():
		// Jitter, so that many workers do not fall upon a recovering database together.
		case <-time.After(backoff/2 + rand.N(backoff/2)):
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// once takes one batch and counts it. Whatever fails, the votes stay in Redis.
func (c *Counter) once(ctx context.Context) error {
	batch, err := c.queue.Take(ctx, c.limit, takeWait)
	if err == nil {
		if len(batch.Payloads) == 0 {
			return nil
		}
		_, err = c.count(ctx, batch)
	} else {
		c.failed("redis", err, ctx)
	}
	if errors.Is(err, queue.ErrFull) {
		return c.drainInPlace(ctx)
	}
	return err
}

// drainInPlace counts pending votes where they are. A full Redis refuses to move them, and only counting and
// removing them frees it. Invalid records are passed over until there is room to set them aside.
func (c *Counter) drainInPlace(ctx context.Context) error {
	for skip := 0; ; {
		batch, err := c.queue.Peek(ctx, skip, c.limit)
		if err != nil {
			c.failed("redis", err, ctx)
			return err
		}
		if len(batch.Payloads) == 0 {
			return queue.ErrFull
		}
		kept, err := c.count(ctx, batch)
		if err != nil && !errors.Is(err, queue.ErrFull) {
			return err
		}
		if kept < len(batch.Payloads) {
			return nil
		}
		skip += kept
	}
}

// count counts one batch and returns how many of its records had to stay in their list.
func (c *Counter) count(ctx context.Context, batch queue.Batch) (int, error) {
	// A stop does not interrupt a transaction: it gets a short while to end.
	ctx, cancel := graceful(ctx, finishWithin)
	defer cancel()

	votes, payloads := make([]vote.Vote, 0, len(batch.Payloads)), make([]string, 0, len(batch.Payloads))
	kept := 0
	var problem error
	for _, payload := range batch.Payloads {
		v, err := vote.Parse(payload)
		if err == nil {
			votes, payloads = append(votes, v), append(payloads, payload)
			continue
		}
		if err := c.setAside(ctx, batch.List, payload, err.Error()); err != nil {
			kept, problem = kept+1, err
		}
	}
	if len(votes) == 0 {
		return kept, problem
	}
	counted, err := c.store.Count(ctx, votes)
	var rejected *store.Rejected
	if errors.As(err, &rejected) && len(votes) > 1 {
		// One of them is at fault: alone, each can show itself.
		for i := range votes {
			alone, err := c.count(ctx, queue.Batch{List: batch.List, Payloads: payloads[i : i+1]})
			if kept += alone; err != nil {
				return kept, err
			}
		}
		return kept, problem
	}
	if rejected != nil {
		return 1, c.setAside(ctx, batch.List, payloads[0], rejected.Reason)
	}
	if err != nil {
		c.failed("postgres", err, ctx)
		return len(batch.Payloads), err
	}
	c.metrics.Processed.Add(float64(counted))
	c.metrics.Duplicates.Add(float64(len(votes) - counted))
	c.metrics.BatchSize.Observe(float64(len(votes)))
	for _, v := range votes {
		c.metrics.Lag.Observe(max(0, time.Since(v.AcceptedAt).Seconds()))
	}
	c.log.Debug("votes counted", "votes", len(votes), "new", counted, "from", batch.List)
	if err := c.queue.Acknowledge(ctx, batch.List, payloads); err != nil {
		// Counted, but still in Redis: they will come around again as duplicates.
		c.failed("redis", err, ctx)
		return kept, err
	}
	return kept, problem
}

func (c *Counter) setAside(ctx context.Context, list, payload, reason string) error {
	if err := c.queue.Quarantine(ctx, list, payload, reason); err != nil {
		c.failed("redis", err, ctx)
		return err
	}
	c.metrics.Invalid.Inc()
	c.log.Warn("invalid record set aside", "reason", reason, "list", queue.Invalid)
	return nil
}

func (c *Counter) failed(system string, err error, ctx context.Context) {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		c.metrics.Errors.WithLabelValues(system).Inc()
	}
}

// graceful returns a context that ends a while after its parent instead of with it.
func graceful(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() { time.AfterFunc(grace, cancel) })
	return ctx, func() { stop(); cancel() }
}
