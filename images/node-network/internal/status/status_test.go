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

	s.Begin(Network)
	s.End(Result{NotReady: "waiting for the API server to list the nodes"})
	expect("/readyz", 503, "waiting for the API server to list the nodes")

	s.Begin(Network)
	s.End(Result{})
	expect("/readyz", 200, "ok")

	s.Begin(Network)
	now = now.Add(31 * time.Second)
	expect("/healthz", 503, "a reconciliation of the network has been running for 31s")
	s.End(Result{})
	expect("/healthz", 200, "ok")
}

func TestEachPartCountsAsHangingOnItsOwn(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(func() time.Time { return now }, Network, NetworkPolicy)
	expect := func(want string) {
		t.Helper()
		if got := s.Healthy(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	s.Begin(NetworkPolicy)
	now = now.Add(31 * time.Second)
	s.Begin(Network)
	s.End(Result{})
	expect("a reconciliation of the network policy has been running for 31s")
	s.Begin(Network)
	now = now.Add(31 * time.Second)
	expect("a reconciliation of the network has been running for 31s; a reconciliation of the network policy has been running for 1m2s")
	s.End(Result{})
	s.PolicyEnds(PolicyResult{})
	expect("")
	s.Begin(NetworkPolicy)
	s.PolicyWaits("waiting for the API server to list pods")
	now = now.Add(time.Hour)
	expect("")
}

func TestMetrics(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(func() time.Time { return now }, Network)
	s.Subscribed()
	s.Begin(Network)
	now = now.Add(250 * time.Millisecond)
	s.End(Result{Nodes: 4, Routes: 5, RoutesAdded: 5, TableWritten: true, ConflistWritten: true})
	s.Begin(Network)
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

func TestPolicyStatus(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(func() time.Time { return now }, Network, NetworkPolicy)
	s.Begin(Network)
	s.End(Result{})
	if code, text := get(t, s, "/readyz"); code != 503 || text != "starting" {
		t.Errorf("%d %q before the policies", code, text)
	}
	s.PolicyWaits("waiting for the API server to list pods")
	if _, text := get(t, s, "/readyz"); text != "waiting for the API server to list pods" {
		t.Errorf("%q", text)
	}
	s.PolicyEnds(PolicyResult{Policies: 3, Pods: 5, Problems: 1, Isolated: [2]int{4, 2}, Chains: 9, Sets: 6, Transactions: 2, Duration: time.Second, Latency: 250 * time.Millisecond})
	s.PolicyEnds(PolicyResult{Policies: 3, Pods: 5, Problems: 1, Isolated: [2]int{4, 2}, Chains: 9, Sets: 6, Latency: time.Hour})
	s.PolicyEstablished(7)
	s.PolicySCTP(true)
	if code, _ := get(t, s, "/readyz"); code != 200 {
		t.Errorf("status %d with everything in place", code)
	}
	_, text := get(t, s, "/metrics")
	for _, line := range []string{
		"node_network_policy_ready 1", "node_network_policies 3", "node_network_policy_problems 1", "node_network_policy_pods 5",
		`node_network_policy_isolated_addresses{direction="ingress"} 4`, `node_network_policy_isolated_addresses{direction="egress"} 2`,
		"node_network_policy_chains 9", "node_network_policy_sets 6", "node_network_policy_transactions_total 2",
		"node_network_policy_failures_total 0", "node_network_policy_seconds_total 1", "node_network_policy_last_change_timestamp_seconds 1000.000",
		"node_network_policy_last_change_latency_seconds 0.25", "node_network_policy_established_denied 7", "node_network_policy_sctp_tracked 1",
	} {
		if !strings.Contains(text+"\n", line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	s.PolicyEnds(PolicyResult{Failure: "the kernel refuses"})
	if code, text := get(t, s, "/readyz"); code != 503 || text != "the kernel refuses" {
		t.Errorf("%d %q after a failure", code, text)
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
