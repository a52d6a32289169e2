package status

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, s *Status, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder.Code, strings.TrimSpace(recorder.Body.String())
}

func TestProbes(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(func() time.Time { return now }, Network)
	expect := func(path string, code int, text string) {
		t.Helper()
		if gotCode, got := get(t, s, path); gotCode != code || got != text {
			t.Errorf("%s: %d %q, want %d %q", path, gotCode, got, code, text)
		}
	}
	expect("/healthz", 200, "ok")
	expect("/readyz", 503, "starting")

	s.Begin()
	s.End(Result{NotReady: "waiting for the API server to list the nodes"})
	expect("/readyz", 503, "waiting for the API server to list the nodes")

	s.Begin()
	s.End(Result{})
	expect("/readyz", 200, "ok")

	s.Begin()
	now = now.Add(31 * time.Second)
	expect("/healthz", 503, "a reconciliation has been running for 31s")
	s.End(Result{})
	expect("/healthz", 200, "ok")
}

func TestMetrics(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(func() time.Time { return now }, Network)
	s.Subscribed()
	s.Begin()
	now = now.Add(250 * time.Millisecond)
	s.End(Result{Nodes: 4, Routes: 5, RoutesAdded: 5, TableWritten: true, ConflistWritten: true})
	s.Begin()
	s.End(Result{Nodes: 4, Routes: 5, RoutesReplaced: 1, RoutesRemoved: 2, DefaultsRestored: 1, Failed: true, NotReady: "x"})
	code, text := get(t, s, "/metrics")
	if code != 200 {
		t.Fatalf("status %d", code)
	}
	for _, line := range []string{
		"node_network_ready 0",
		"node_network_nodes 4",
		"node_network_routes 5",
		"node_network_reconciles_total 2",
		"node_network_reconcile_failures_total 1",
		"node_network_reconcile_seconds_total 0.25",
		"node_network_last_success_timestamp_seconds 1000.250",
		"node_network_default_routes_restored_total 1",
		"node_network_masquerade_writes_total 1",
		"node_network_cni_config_writes_total 1",
		"node_network_kernel_subscriptions_total 1",
		`node_network_route_changes_total{operation="add"} 5`,
		`node_network_route_changes_total{operation="replace"} 1`,
		`node_network_route_changes_total{operation="remove"} 2`,
		"# TYPE node_network_route_changes_total counter",
	} {
		if !strings.Contains(text, line+"\n") && !strings.HasSuffix(text, line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- New(time.Now, Network).Serve(ctx, listener) }()
	response, err := http.Get("http://" + listener.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if string(body) != "ok\n" {
		t.Errorf("answer %q", body)
	}
	cancel()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("still serving 5 s after the end")
	}
}
