package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/k8s-platform/voting-app/worker/internal/testenv"
)

// The shortest that Redis' clients allow.
const wait = time.Second

func open(t *testing.T, server *testenv.Server, pod string) *Queue {
	q := Open(Options{Address: server.Address(), Pod: pod, Worker: pod + "/1", HeartbeatTTL: time.Minute})
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func push(t *testing.T, q *Queue, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		must(t, q.redis.RPush(t.Context(), Pending, payload).Err())
	}
}

func want(t *testing.T, q *Queue, list string, payloads ...string) {
	t.Helper()
	got, err := q.redis.LRange(t.Context(), list, 0, -1).Result()
	must(t, err)
	if !slices.Equal(got, payloads) {
		t.Fatalf("%s: got %v, want %v", list, got, payloads)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTakenVotesStayInRedisUntilAcknowledged(t *testing.T) {
	q := open(t, testenv.Redis(t), "one")
	push(t, q, "1", "2", "3", "4", "5")

	batch, err := q.Take(t.Context(), 3, wait)
	must(t, err)
	if !slices.Equal(batch.Payloads, []string{"1", "2", "3"}) {
		t.Fatalf("took %v", batch.Payloads)
	}
	want(t, q, Pending, "4", "5")
	want(t, q, q.processing, "1", "2", "3")

	// Nothing acknowledged: the same come again, before any other.
	again, err := q.Take(t.Context(), 2, wait)
	must(t, err)
	if !slices.Equal(again.Payloads, []string{"1", "2"}) {
		t.Fatalf("took %v", again.Payloads)
	}
	must(t, q.Acknowledge(t.Context(), q.processing, []string{"1", "3"}))
	want(t, q, q.processing, "2")
}

func TestTakeOfAnEmptyQueueIsEmpty(t *testing.T) {
	q := open(t, testenv.Redis(t), "one")
	batch, err := q.Take(t.Context(), 10, wait)
	if err != nil || len(batch.Payloads) != 0 {
		t.Fatalf("got %v, %v", batch, err)
	}
}

func TestAcknowledgeRemovesByValueOnly(t *testing.T) {
	q := open(t, testenv.Redis(t), "one")
	push(t, q, "1", "2")
	batch, err := q.Take(t.Context(), 2, wait)
	must(t, err)
	// Another worker took this one for dead, put "1" and "2" back, and a late command brought "9" here.
	_, err = q.putBack(t.Context(), q.processing)
	must(t, err)
	must(t, q.redis.RPush(t.Context(), q.processing, "9").Err())
	must(t, q.Acknowledge(t.Context(), batch.List, batch.Payloads))
	want(t, q, q.processing, "9")
	want(t, q, Pending, "1", "2")
}

func TestQuarantineKeepsTheRecordAndItsReason(t *testing.T) {
	q := open(t, testenv.Redis(t), "one")
	push(t, q, "rubbish\x00\xff")
	batch, err := q.Take(t.Context(), 1, wait)
	must(t, err)
	must(t, q.Quarantine(t.Context(), batch.List, batch.Payloads[0], "not JSON"))
	want(t, q, q.processing)
	entry, err := q.redis.LPop(t.Context(), Invalid).Result()
	must(t, err)
	var got map[string]string
	must(t, json.Unmarshal([]byte(entry), &got))
	if got["reason"] != "not JSON" || !strings.HasPrefix(got["payload"], "rubbish") {
		t.Fatalf("got %v", got)
	}
}

func TestReclaimTakesFromTheDeadOnly(t *testing.T) {
	server := testenv.Redis(t)
	living, dead, here := open(t, server, "living"), open(t, server, "dead"), open(t, server, "here")
	for _, q := range []*Queue{living, dead} {
		must(t, q.Beat(t.Context()))
	}
	push(t, here, "1", "2", "3")
	for _, q := range []*Queue{dead, living} {
		_, err := q.Take(t.Context(), 1, wait)
		must(t, err)
	}
	reclaimed, err := here.Reclaim(t.Context())
	if err != nil || reclaimed != 0 {
		t.Fatalf("reclaimed %d from living workers, %v", reclaimed, err)
	}
	must(t, here.redis.Del(t.Context(), heartbeatPrefix+dead.worker).Err()) // as its expiry does
	reclaimed, err = here.Reclaim(t.Context())
	if err != nil || reclaimed != 1 {
		t.Fatalf("reclaimed %d, %v", reclaimed, err)
	}
	want(t, here, Pending, "1", "3")
	want(t, here, living.processing, "2")
}

func TestReclaimKnowsItsOwnPodsEarlierProcess(t *testing.T) {
	server := testenv.Redis(t)
	before := open(t, server, "pod")
	must(t, before.Beat(t.Context()))
	push(t, before, "1")
	_, err := before.Take(t.Context(), 1, wait)
	must(t, err)
	now := Open(Options{Address: server.Address(), Pod: "pod", Worker: "pod/2", HeartbeatTTL: time.Minute})
	defer now.Close()
	reclaimed, err := now.Reclaim(t.Context())
	if err != nil || reclaimed != 1 {
		t.Fatalf("reclaimed %d, %v", reclaimed, err)
	}
}

func TestHeartbeatLapses(t *testing.T) {
	q := Open(Options{Address: testenv.Redis(t).Address(), Pod: "p", Worker: "p/1", HeartbeatTTL: 200 * time.Millisecond})
	defer q.Close()
	must(t, q.Beat(t.Context()))
	must(t, q.Beat(t.Context()))
	testenv.Eventually(t, "heartbeat gone", 2*time.Second, func() error {
		if n := q.redis.Exists(t.Context(), heartbeatPrefix+q.worker).Val(); n != 0 {
			return errors.New("still there")
		}
		return nil
	})
}

func TestLeavePutsBackInOrder(t *testing.T) {
	q := open(t, testenv.Redis(t), "one")
	must(t, q.Beat(t.Context()))
	push(t, q, "1", "2", "3", "4")
	_, err := q.Take(t.Context(), 3, wait)
	must(t, err)
	moved, err := q.Leave(t.Context())
	if err != nil || moved != 3 {
		t.Fatalf("moved %d, %v", moved, err)
	}
	want(t, q, Pending, "1", "2", "3", "4")
	if n := q.redis.Exists(t.Context(), heartbeatPrefix+q.worker).Val(); n != 0 {
		t.Fatal("the heartbeat outlives the worker")
	}
}

func TestAFullRedisCanBeReadAndFreed(t *testing.T) {
	q := open(t, testenv.Redis(t), "one")
	for i := range 100 {
		push(t, q, fmt.Sprintf("%03d%s", i, strings.Repeat("x", 1000)))
	}
	must(t, q.redis.ConfigSet(t.Context(), "maxmemory", "1").Err())
	if _, err := q.Take(t.Context(), 10, wait); !errors.Is(err, ErrFull) {
		t.Fatalf("want ErrFull, got %v", err)
	}
	if err := q.Quarantine(t.Context(), Pending, "000", "x"); !errors.Is(err, ErrFull) {
		t.Fatalf("want ErrFull, got %v", err)
	}
	batch, err := q.Peek(t.Context(), 2, 3)
	must(t, err)
	if len(batch.Payloads) != 3 || !strings.HasPrefix(batch.Payloads[0], "002") {
		t.Fatalf("peeked %d", len(batch.Payloads))
	}
	must(t, q.Acknowledge(t.Context(), batch.List, batch.Payloads))
	if n, err := q.Length(t.Context()); err != nil || n != 97 {
		t.Fatalf("length %d, %v", n, err)
	}
}

func TestNoCallOutlastsItsDeadlineWhenRedisHangs(t *testing.T) {
	server := testenv.Redis(t)
	q := open(t, server, "one")
	must(t, q.Ping(t.Context()))
	resume := server.Pause()
	defer resume()
	for name, call := range map[string]func(context.Context) error{
		"ping": q.Ping,
		"take": func(ctx context.Context) error { _, err := q.Take(ctx, 5, wait); return err },
		"beat": q.Beat,
	} {
		started := time.Now()
		if err := call(t.Context()); err == nil {
			t.Errorf("%s: no error from a hanging Redis", name)
		}
		if took := time.Since(started); took > 4*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}
