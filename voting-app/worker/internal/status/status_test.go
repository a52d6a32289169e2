package status

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEndpoints(t *testing.T) {
	up := func(context.Context) error { return nil }
	down := func(context.Context) error { return errors.New("away") }
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "sample_total"}))
	for name, c := range map[string]struct {
		path            string
		progressing     bool
		redis, postgres func(context.Context) error
		code            int
		body            string
	}{
		"healthy":                       {"/health", true, up, up, 200, `"status":"ok"`},
		"healthy without its databases": {"/health", true, down, down, 200, `"status":"ok"`},
		"stuck":                         {"/health", false, up, up, 500, `"status":"stuck"`},
		"ready":                         {"/ready", true, up, up, 200, `"status":"ready"`},
		"Redis away":                    {"/ready", true, down, up, 503, `"redis":"away"`},
		"Postgres away":                 {"/ready", true, up, down, 503, `"postgres":"away"`},
		"metrics":                       {"/metrics", true, down, down, 200, "sample_total 0"},
		"anything else":                 {"/admin", true, up, up, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			handler := Handler(Checks{Progressing: func() bool { return c.progressing }, Redis: c.redis, Postgres: c.postgres, Registry: registry, Pod: "worker-1"})
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest("GET", c.path, nil))
			if answer.Code != c.code || !strings.Contains(answer.Body.String(), c.body) {
				t.Fatalf("got %d %s", answer.Code, answer.Body)
			}
		})
	}
}
