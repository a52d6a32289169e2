// Package status serves the endpoints for Kubernetes and Prometheus.
package status

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Checks are what the endpoints ask.
type Checks struct {
	Progressing func() bool
	Redis       func(context.Context) error
	Postgres    func(context.Context) error
	Registry    *prometheus.Registry
	Pod         string
}

// Handler answers /health (the loop turns), /ready (Redis and Postgres answer) and /metrics.
func Handler(c Checks) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if !c.Progressing() {
			answer(w, http.StatusInternalServerError, map[string]string{"status": "stuck", "pod": c.Pod})
			return
		}
		answer(w, http.StatusOK, map[string]string{"status": "ok", "pod": c.Pod})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		body := map[string]string{"status": "ready", "redis": "ok", "postgres": "ok", "pod": c.Pod}
		code := http.StatusOK
		var lock sync.Mutex
		var both sync.WaitGroup
		for name, check := range map[string]func(context.Context) error{"redis": c.Redis, "postgres": c.Postgres} {
			both.Go(func() {
				if err := check(r.Context()); err != nil {
					lock.Lock()
					defer lock.Unlock()
					body[name], body["status"], code = err.Error(), "unavailable", http.StatusServiceUnavailable
				}
			})
		}
		both.Wait()
		answer(w, code, body)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Registry, promhttp.HandlerOpts{}))
	return mux
}

// Server is an http.Server with deadlines.
func Server(address string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              address,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}

func answer(w http.ResponseWriter, code int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
