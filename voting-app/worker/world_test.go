package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/org/k8s-platform/voting-app/worker/internal/queue"
	"github.com/org/k8s-platform/voting-app/worker/internal/testenv"
)

// world is a real Redis, a real Postgres and the real worker binary.
type world struct {
	t               *testing.T
	redis, postgres *testenv.Server
	client          *redis.Client
	enqueue         *redis.Script
	binary          string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, redis: testenv.Redis(t), postgres: testenv.Postgres(t), binary: filepath.Join(t.TempDir(), "worker")}
	if output, err := exec.Command("go", "build", "-o", w.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	// The vote service's own script: what it writes is what the worker must read.
	script, err := os.ReadFile("../vote/vote/enqueue.lua")
	must(t, err)
	w.enqueue = redis.NewScript(string(script))
	w.client = redis.NewClient(&redis.Options{Addr: w.redis.Address(), MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: 2 * time.Second})
	t.Cleanup(func() { _ = w.client.Close() })
	return w
}

// process is one running worker.
type process struct {
	command *exec.Cmd
	output  *bytes.Buffer
	url     string
}

func (w *world) start(pod string) *process {
	w.t.Helper()
	p := &process{command: exec.Command(w.binary), output: &bytes.Buffer{}}
	port := 20000 + rand.N(10000)
	p.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	p.command.Env = []string{"POD_NAME=" + pod, "PORT=" + strconv.Itoa(port), "HEARTBEAT_TTL_SECONDS=3", "BATCH_LIMIT=20",
		"REDIS_HOST=127.0.0.1", "REDIS_PORT=" + strconv.Itoa(w.redis.Port),
		"POSTGRES_HOST=127.0.0.1", "POSTGRES_PORT=" + strconv.Itoa(w.postgres.Port)}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	must(w.t, p.command.Start())
	w.t.Cleanup(func() { _ = p.command.Process.Kill(); _ = p.command.Wait() })
	return p
}

func (p *process) kill() { _ = p.command.Process.Kill(); _ = p.command.Wait() }

// stop sends SIGTERM and returns the exit code, or -1 when the worker does not end.
func (p *process) stop() int {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(20*time.Second, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	_ = p.command.Wait()
	return p.command.ProcessState.ExitCode()
}

func (w *world) vote(ctx context.Context, id, voter, choice string) (int64, error) {
	reply, err := w.enqueue.Run(ctx, w.client, []string{"votes", "votes:sequence", "votes:recent"}, id, voter, choice, time.Now().UTC().Format(time.RFC3339Nano), 10000).Slice()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(reply[0].(string), 10, 64)
}

func (w *world) query(sql string, into ...any) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	connection, err := pgx.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", w.postgres.Port))
	if err != nil {
		return err
	}
	defer connection.Close(context.Background())
	return connection.QueryRow(ctx, sql).Scan(into...)
}

// nothingWaits is an error while any vote is still in Redis.
func (w *world) nothingWaits() error {
	lists, err := w.client.Keys(w.t.Context(), "votes:processing:*").Result()
	if err != nil {
		return err
	}
	for _, list := range append(lists, queue.Pending) {
		if n, err := w.client.LLen(w.t.Context(), list).Result(); err != nil || n > 0 {
			return fmt.Errorf("%s holds %d votes, %v", list, n, err)
		}
	}
	return nil
}

func (w *world) counted(want int) func() error {
	return func() error {
		var got int
		if err := w.query("SELECT count(*) FROM votes", &got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%d of %d votes counted", got, want)
		}
		return nil
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %d %s", url, response.StatusCode, body)
	}
	return nil
}
