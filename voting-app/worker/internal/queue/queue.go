// Package queue takes votes out of Redis without ever letting go of one that is not counted yet.
//
// A taken vote moves, atomically, from the shared list to a list of this process' own, and leaves that one only
// when Acknowledge names it. What a dead process leaves behind, Reclaim puts back: counting is idempotent, so a
// vote that comes around twice does no harm, and every doubtful case may be resolved by counting again.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// Pending is the list of accepted votes, oldest first.
	Pending = "votes"
	// Invalid is the list of records that are no votes, each with its reason.
	Invalid = "votes:invalid"

	processingPrefix = "votes:processing:"
	heartbeatPrefix  = "votes:worker:"
	callTimeout      = 2 * time.Second
)

// ErrFull says that Redis has no memory left (maxmemory with noeviction): it refuses to move votes between lists
// but still reads and removes them.
var ErrFull = errors.New("redis is full")

// Options say how to reach Redis. Worker is unique to this process; Pod is shared by its restarts.
type Options struct {
	Address  string
	Password string
	Pod      string
	Worker   string
	// HeartbeatTTL is how long a silent worker keeps what it has taken.
	HeartbeatTTL time.Duration
}

// Queue is one worker's view of the queue. Its methods may be called at the same time.
type Queue struct {
	redis        *redis.Client
	pod          string
	worker       string
	processing   string
	heartbeatTTL time.Duration
}

// Open makes a Queue; it connects on first use.
func Open(o Options) *Queue {
	return &Queue{
		redis: redis.NewClient(&redis.Options{
			Addr:                  o.Address,
			Password:              o.Password,
			ClientName:            "worker",
			DialTimeout:           callTimeout,
			ReadTimeout:           callTimeout,
			WriteTimeout:          callTimeout,
			ContextTimeoutEnabled: true,
			// The caller's loop repeats, with back-off, and it knows what is safe to repeat.
			MaxRetries:               -1,
			DialerRetries:            1,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
		pod:          o.Pod,
		worker:       o.Worker,
		processing:   processingPrefix + o.Worker,
		heartbeatTTL: o.HeartbeatTTL,
	}
}

// Close drops the connections.
func (q *Queue) Close() error { return q.redis.Close() }

// Batch is a run of records and the list they stay in until acknowledged.
type Batch struct {
	List     string
	Payloads []string
}

// Take moves up to limit records to this worker's list, waiting up to wait for the first. Records taken before and
// not acknowledged come first. An empty batch means that nothing waits. ErrFull: use Peek instead.
func (q *Queue) Take(ctx context.Context, limit int, wait time.Duration) (Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+callTimeout)
	defer cancel()
	batch := Batch{List: q.processing}
	last := int64(limit - 1)
	left, err := q.redis.LRange(ctx, q.processing, 0, last).Result()
	if err != nil {
		return batch, explain("read the processing list", err)
	}
	if len(left) > 0 {
		batch.Payloads = left
		return batch, nil
	}
	if err := q.redis.BLMove(ctx, Pending, q.processing, "LEFT", "RIGHT", wait).Err(); errors.Is(err, redis.Nil) {
		return batch, nil
	} else if err != nil {
		return batch, explain("take a vote", err)
	}
	waiting, err := q.redis.LLen(ctx, Pending).Result()
	if err != nil {
		return batch, explain("measure the queue", err)
	}
	if more := min(waiting, last); more > 0 {
		_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range more {
				p.LMove(ctx, Pending, q.processing, "LEFT", "RIGHT")
			}
			return nil
		})
		// Nil: another worker was faster. Full: what has been moved can still be counted.
		if err != nil && !errors.Is(err, redis.Nil) && !isFull(err) {
			return batch, explain("take votes", err)
		}
	}
	// Read back rather than trust the replies: the list is what will be acknowledged.
	batch.Payloads, err = q.redis.LRange(ctx, q.processing, 0, last).Result()
	if err != nil {
		return batch, explain("read the processing list", err)
	}
	return batch, nil
}

// Peek reads up to limit pending records, after skip ones, and leaves them where they are. It is for a Redis that
// is full: counting them and removing them there is the only way to free it. Several workers may read the same.
func (q *Queue) Peek(ctx context.Context, skip, limit int) (Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	payloads, err := q.redis.LRange(ctx, Pending, int64(skip), int64(skip+limit-1)).Result()
	if err != nil {
		return Batch{}, explain("read the queue", err)
	}
	return Batch{List: Pending, Payloads: payloads}, nil
}

// Acknowledge removes counted records. It removes by value, not by position: another worker may have taken this
// one for dead and moved some of them, and a position would then name a record that nobody has counted.
func (q *Queue) Acknowledge(ctx context.Context, list string, payloads []string) error {
	if len(payloads) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// No MULTI: a full Redis queues no command, not even one that frees memory. Half an acknowledgement does no harm.
	_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, payload := range payloads {
			p.LRem(ctx, list, 1, payload)
		}
		return nil
	})
	return explain("acknowledge votes", err)
}

// Quarantine moves a record that is no vote to the list of invalid ones, with the reason.
func (q *Queue) Quarantine(ctx context.Context, list, payload, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	entry, err := json.Marshal(map[string]string{
		"reason":  reason,
		"payload": payload,
		"worker":  q.worker,
		"at":      time.Now().UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return fmt.Errorf("describe an invalid record: %w", err)
	}
	_, err = q.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, Invalid, entry)
		p.LRem(ctx, list, 1, payload)
		return nil
	})
	return explain("set an invalid record aside", err)
}

// Length is the number of votes that nobody has taken yet.
func (q *Queue) Length(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	length, err := q.redis.LLen(ctx, Pending).Result()
	return length, explain("measure the queue", err)
}

// Ping reports whether Redis answers.
func (q *Queue) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return explain("ping", q.redis.Ping(ctx).Err())
}

func explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("redis: %s: %w", what, ErrFull)
	default:
		return fmt.Errorf("redis: %s: %w", what, err)
	}
}

func isFull(err error) bool {
	text := err.Error()
	// A refused command inside MULTI surfaces as EXECABORT; its only cause here is missing memory.
	return strings.HasPrefix(text, "OOM ") || strings.HasPrefix(text, "EXECABORT ")
}
