package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/k8s-platform/voting-app/worker/internal/queue"
	"github.com/org/k8s-platform/voting-app/worker/internal/testenv"
)

// TestNoVoteIsLostOrCountedTwice casts 2,000 votes by 400 voters while a worker, Redis and Postgres are killed, and
// compares the clients' journal with the database.
func TestNoVoteIsLostOrCountedTwice(t *testing.T) {
	w := newWorld(t)
	first, second := w.start("worker-1"), w.start("worker-2")
	testenv.Eventually(t, "worker ready", 20*time.Second, func() error { return get(first.url + "/ready") })

	const votes, voters, clients = 2000, 400, 8
	type ballot struct {
		choice   string
		sequence int64
	}
	var lock sync.Mutex
	last := map[string]ballot{}
	acknowledged, repeated := 0, 0
	// Unbuffered, so that each fault falls where it is meant to.
	progress := make(chan int)
	inDoubt := make(chan struct{}, 1)
	var casting sync.WaitGroup
	for c := range clients {
		casting.Go(func() {
			// A voter belongs to one client, so that its journal knows the order of that voter's votes.
			for n := c; n < votes; n += clients {
				voter, choice := fmt.Sprintf("voter-%d", n%voters), "ab"[rand.N(2):][:1]
				deadline := time.Now().Add(60 * time.Second)
				for {
					sequence, err := w.vote(t.Context(), uuid(n), voter, choice)
					lock.Lock()
					if err == nil {
						acknowledged++
						if sequence > last[voter].sequence {
							last[voter] = ballot{choice, sequence}
						}
						lock.Unlock()
						break
					}
					// In doubt: the same vote again, as a client must.
					repeated++
					lock.Unlock()
					select {
					case inDoubt <- struct{}{}:
					default:
					}
					if time.Now().After(deadline) {
						t.Errorf("vote %d not accepted within a minute: %v", n, err)
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
				if n%7 == 0 {
					_, _ = w.vote(t.Context(), uuid(n), voter, choice) // a client that repeats without need
				}
				progress <- n
				time.Sleep(time.Duration(rand.N(10)) * time.Millisecond)
			}
		})
	}
	go func() { casting.Wait(); close(progress) }()
	done := 0
	var outage sync.WaitGroup
	for range progress {
		switch done++; done {
		case 300:
			first.kill()
		case 600:
			w.postgres.Kill()
		case 800:
			first = w.start("worker-1")
		case 900:
			w.postgres.Start()
		case 1200:
			outage.Go(func() {
				w.redis.Kill()
				// A short outage may pass between two attempts.
				select {
				case <-inDoubt:
				case <-time.After(30 * time.Second):
				}
				w.redis.Start()
			})
		case 1500:
			second.kill()
			w.start("worker-3")
		}
	}
	outage.Wait()
	t.Logf("acknowledged %d, attempts repeated %d", acknowledged, repeated)
	testenv.Eventually(t, "every vote counted", 60*time.Second, w.counted(votes))
	testenv.Eventually(t, "nothing left in Redis", 30*time.Second, w.nothingWaits)
	if n := w.client.LLen(t.Context(), queue.Invalid).Val(); n != 0 {
		t.Errorf("%d votes were set aside as invalid", n)
	}
	must(t, w.counted(votes)())
	if acknowledged != votes || repeated == 0 {
		t.Errorf("acknowledged %d of %d, %d repeats: the faults were to hit some attempts", acknowledged, votes, repeated)
	}
	var total int
	must(t, w.query("SELECT count(*) FROM ballots", &total))
	if total != voters {
		t.Errorf("%d ballots for %d voters", total, voters)
	}
	for voter, want := range last {
		var got ballot
		must(t, w.query(fmt.Sprintf("SELECT choice, sequence FROM ballots WHERE voter_id = '%s'", voter), &got.choice, &got.sequence))
		if got != want {
			t.Errorf("%s: counted %v, last accepted %v", voter, got, want)
		}
	}
}

func TestAWorkerStartedBeforeItsDatabasesCountsOnceTheyCome(t *testing.T) {
	w := newWorld(t)
	w.redis.Kill()
	w.postgres.Kill()
	p := w.start("worker-1")
	testenv.Eventually(t, "alive", 10*time.Second, func() error { return get(p.url + "/health") })
	if err := get(p.url + "/ready"); err == nil {
		t.Error("ready without databases")
	}
	w.redis.Start()
	_, err := w.vote(t.Context(), uuid(1), "voter-1", "a")
	must(t, err)
	w.postgres.Start()
	testenv.Eventually(t, "the vote counted", 20*time.Second, w.counted(1))
	testenv.Eventually(t, "ready", 10*time.Second, func() error { return get(p.url + "/ready") })
}

func TestStopPutsBackWhatIsNotCounted(t *testing.T) {
	w := newWorld(t)
	p := w.start("worker-1")
	testenv.Eventually(t, "ready", 20*time.Second, func() error { return get(p.url + "/ready") })
	w.postgres.Kill()
	for n := range 30 {
		_, err := w.vote(t.Context(), uuid(n), "voter", "a")
		must(t, err)
	}
	testenv.Eventually(t, "votes taken", 10*time.Second, func() error {
		if lists := w.client.Keys(t.Context(), "votes:processing:*").Val(); len(lists) == 0 {
			return errors.New("nothing taken")
		}
		return nil
	})
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.output)
	}
	if keys := w.client.Keys(t.Context(), "votes:processing:*").Val(); len(keys) != 0 {
		t.Errorf("left %v", keys)
	}
	if keys := w.client.Keys(t.Context(), "votes:worker:*").Val(); len(keys) != 0 {
		t.Errorf("left %v", keys)
	}
	if n := w.client.LLen(t.Context(), queue.Pending).Val(); n != 30 {
		t.Errorf("%d of 30 votes wait", n)
	}
}

func TestAFullRedisIsEmptied(t *testing.T) {
	w := newWorld(t)
	const votes = 500
	for n := range votes {
		_, err := w.vote(t.Context(), uuid(n), fmt.Sprintf("voter-%d", n), "b")
		must(t, err)
	}
	must(t, w.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	if _, err := w.vote(t.Context(), uuid(votes), "late", "b"); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("want OOM, got %v", err)
	}
	w.start("worker-1")
	testenv.Eventually(t, "every vote counted", 30*time.Second, w.counted(votes))
	testenv.Eventually(t, "nothing left in Redis", 10*time.Second, w.nothingWaits)
	must(t, w.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	_, err := w.vote(t.Context(), uuid(votes), "late", "b")
	must(t, err)
	testenv.Eventually(t, "voting goes on", 10*time.Second, w.counted(votes+1))
}

func TestInvalidRecordsDoNotStopTheCount(t *testing.T) {
	w := newWorld(t)
	must(t, w.client.RPush(t.Context(), queue.Pending, "rubbish", "{}", "\x00\xff").Err())
	_, err := w.vote(t.Context(), uuid(1), "voter", "a")
	must(t, err)
	p := w.start("worker-1")
	testenv.Eventually(t, "the vote counted", 20*time.Second, w.counted(1))
	testenv.Eventually(t, "the rest set aside", 5*time.Second, func() error {
		if n := w.client.LLen(t.Context(), queue.Invalid).Val(); n != 3 {
			return fmt.Errorf("%d of 3", n)
		}
		return nil
	})
	response, err := http.Get(p.url + "/metrics")
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	if !strings.Contains(string(body), "worker_votes_invalid_total 3") {
		t.Error("the metric does not say 3")
	}
}
