// Command worker takes votes from Redis and counts each exactly once in Postgres.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/org/k8s-platform/voting-app/worker/internal/config"
	"github.com/org/k8s-platform/voting-app/worker/internal/counter"
	"github.com/org/k8s-platform/voting-app/worker/internal/metrics"
	"github.com/org/k8s-platform/voting-app/worker/internal/queue"
	"github.com/org/k8s-platform/voting-app/worker/internal/status"
	"github.com/org/k8s-platform/voting-app/worker/internal/store"
)

func main() {
	settings, err := config.FromEnvironment(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: settings.LogLevel, ReplaceAttr: rename})).With("service", "worker")
	if err := run(settings, log); err != nil {
		log.Error("stopped by an error", "error", err.Error())
		os.Exit(1)
	}
}

func run(settings config.Config, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	votes := queue.Open(queue.Options{
		Address:      settings.RedisAddress,
		Password:     settings.RedisPassword,
		Pod:          settings.Pod,
		Worker:       settings.Pod + "/" + unique(),
		HeartbeatTTL: settings.HeartbeatTTL,
	})
	defer votes.Close()
	database, err := store.Open(context.Background(), settings.Postgres)
	if err != nil {
		return err
	}
	defer database.Close()
	measures := metrics.New(votes.Length)
	loop := counter.New(votes, database, measures, log, settings.BatchLimit)

	address := fmt.Sprintf(":%d", settings.Port)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := status.Server(address, status.Handler(status.Checks{
		Progressing: loop.Progressing, Redis: votes.Ping, Postgres: database.Ping, Registry: measures.Registry, Pod: settings.Pod,
	}))
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(listener) }()
	log.Info("started", "port", settings.Port, "redis", settings.RedisAddress, "postgres", settings.Postgres.Host)

	// The schema exists before the first vote does, so that the result has something to show. Count repeats this
	// where the database is not there yet.
	if err := database.Migrate(ctx); err != nil {
		log.Warn("schema waits", "error", err.Error())
	}
	var tasks sync.WaitGroup
	tasks.Go(func() { keepAlive(ctx, votes, settings.HeartbeatTTL/5, log) })
	tasks.Go(func() { reclaim(ctx, votes, settings.HeartbeatTTL/3, measures, log) })
	tasks.Go(func() { loop.Run(ctx) })

	var failure error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case failure = <-serving:
		stop()
	}
	tasks.Wait()
	if put, err := votes.Leave(context.Background()); err != nil {
		// Nothing is lost: another worker reclaims them when the heartbeat lapses.
		log.Warn("votes left for another worker", "error", err.Error())
	} else if put > 0 {
		log.Info("votes put back", "votes", put)
	}
	closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil && failure == nil {
		log.Warn("status server closed hard", "error", err.Error())
	}
	if failure != nil && !errors.Is(failure, http.ErrServerClosed) {
		return failure
	}
	log.Info("stopped")
	return nil
}

func keepAlive(ctx context.Context, votes *queue.Queue, every time.Duration, log *slog.Logger) {
	repeat(ctx, every, func() {
		if err := votes.Beat(ctx); err != nil && ctx.Err() == nil {
			log.Debug("heartbeat failed", "error", err.Error())
		}
	})
}

func reclaim(ctx context.Context, votes *queue.Queue, every time.Duration, measures *metrics.Metrics, log *slog.Logger) {
	repeat(ctx, every, func() {
		reclaimed, err := votes.Reclaim(ctx)
		measures.Reclaimed.Add(float64(reclaimed))
		if reclaimed > 0 {
			log.Info("votes of dead workers put back", "votes", reclaimed)
		}
		if err != nil && ctx.Err() == nil {
			log.Debug("reclaim failed", "error", err.Error())
		}
	})
}

func repeat(ctx context.Context, every time.Duration, task func()) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		task()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// unique tells this process from an earlier one in the same pod, whose last command may still be on its way.
func unique() string {
	bytes := make([]byte, 6)
	_, _ = rand.Read(bytes) // never fails
	return hex.EncodeToString(bytes)
}

// rename gives the log the field names of the other services.
func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 {
		switch a.Key {
		case slog.MessageKey:
			a.Key = "message"
		case slog.LevelKey:
			a.Value = slog.StringValue(map[slog.Level]string{
				slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warning", slog.LevelError: "error",
			}[a.Value.Any().(slog.Level)])
		}
	}
	return a
}
