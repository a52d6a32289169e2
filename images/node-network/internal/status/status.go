// Package status holds what the agent tells about itself: liveness, readiness and metrics.
package status

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// stuckAfter is how long one reconciliation may take before the agent counts as dead. It
// normally takes milliseconds.
const stuckAfter = 30 * time.Second

// Status is safe for concurrent use.
type Status struct {
	now func() time.Time

	mu      sync.Mutex
	started map[Part]time.Time // of the reconciliation that a part has under way
	waiting map[Part]string    // why a part is not ready; empty when it is
	metrics metrics
	policy  policyMetrics
}

// Part is a part of the agent that becomes ready on its own.
type Part string

// The parts of the agent.
const (
	Network       Part = "network"
	NetworkPolicy Part = "network policy"
)

var parts = []Part{Network, NetworkPolicy}

type metrics struct {
	reconciles, failures        uint64
	seconds                     float64
	lastSuccess                 time.Time
	nodes, routes               int
	routesAdded, routesReplaced uint64
	routesRemoved               uint64
	defaultsRestored            uint64
	tableWrites                 uint64
	conflistWrites              uint64
	subscriptions               uint64
}

// Result is the outcome of one reconciliation.
type Result struct {
	// NotReady says what the agent waits for or what failed; empty when all is as it should be.
	NotReady string
	// Failed says that something was tried and did not work.
	Failed                                     bool
	Nodes, Routes                              int
	RoutesAdded, RoutesReplaced, RoutesRemoved int
	DefaultsRestored                           int
	TableWritten, ConflistWritten              bool
}

// New returns a status that is alive, and ready when each of the parts is.
func New(now func() time.Time, parts ...Part) *Status {
	s := &Status{now: now, started: map[Part]time.Time{}, waiting: map[Part]string{}}
	for _, part := range parts {
		s.waiting[part] = "starting"
	}
	return s
}

// Begin marks the start of a part's reconciliation. End ends that of the network, PolicyWaits and
// PolicyEnds that of the network policies.
func (s *Status) Begin(part Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started[part] = s.now()
}

// End takes the outcome of the network's reconciliation begun last.
func (s *Status) End(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	m := &s.metrics
	m.reconciles++
	m.seconds += now.Sub(s.started[Network]).Seconds()
	delete(s.started, Network)
	s.waiting[Network] = r.NotReady
	if r.Failed {
		m.failures++
	}
	if r.NotReady == "" {
		m.lastSuccess = now
	}
	m.nodes, m.routes = r.Nodes, r.Routes
	m.routesAdded += uint64(r.RoutesAdded)
	m.routesReplaced += uint64(r.RoutesReplaced)
	m.routesRemoved += uint64(r.RoutesRemoved)
	m.defaultsRestored += uint64(r.DefaultsRestored)
	if r.TableWritten {
		m.tableWrites++
	}
	if r.ConflistWritten {
		m.conflistWrites++
	}
}

// Subscribed counts a subscription to kernel events; more than one means events were missed.
func (s *Status) Subscribed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.subscriptions++
}

// Healthy returns why the agent should be restarted, or an empty string.
func (s *Status) Healthy() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reasons []string
	for _, part := range parts {
		began, running := s.started[part]
		if took := s.now().Sub(began); running && took > stuckAfter {
			reasons = append(reasons, fmt.Sprintf("a reconciliation of the %s has been running for %s", part, took.Round(time.Second)))
		}
	}
	return strings.Join(reasons, "; ")
}

// Ready returns what the agent waits for, or an empty string.
func (s *Status) Ready() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready()
}

func (s *Status) ready() string {
	var reasons []string
	for _, part := range parts {
		reason := s.waiting[part]
		if part == NetworkPolicy {
			reason = s.policyReady()
		}
		if reason != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, "; ")
}

func write(b *strings.Builder, name, kind, help string, value any) {
	name = "node_network_" + name
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", name, help, name, kind, name, value)
}

// Metrics returns the metrics in the Prometheus text format.
func (s *Status) Metrics() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metrics
	var b strings.Builder
	ready := 0
	if s.ready() == "" {
		ready = 1
	}
	lastSuccess := 0.0
	if !m.lastSuccess.IsZero() {
		lastSuccess = float64(m.lastSuccess.UnixMilli()) / 1000
	}
	write(&b, "ready", "gauge", "1 when the network of this node is as the API describes it.", ready)
	write(&b, "nodes", "gauge", "Nodes of the cluster, this one included.", m.nodes)
	write(&b, "routes", "gauge", "Routes this agent wants in the main table.", m.routes)
	write(&b, "reconciles_total", "counter", "Comparisons of the kernel with the plan.", m.reconciles)
	write(&b, "reconcile_failures_total", "counter", "Comparisons that could not make the kernel match.", m.failures)
	write(&b, "reconcile_seconds_total", "counter", "Time spent in reconciliations.", m.seconds)
	write(&b, "last_success_timestamp_seconds", "gauge", "When the kernel last matched the plan.", fmt.Sprintf("%.3f", lastSuccess))
	write(&b, "default_routes_restored_total", "counter", "Default routes put back after the kernel lost them.", m.defaultsRestored)
	write(&b, "masquerade_writes_total", "counter", "Transactions that replaced the masquerade table.", m.tableWrites)
	write(&b, "cni_config_writes_total", "counter", "Times the CNI configuration was written.", m.conflistWrites)
	write(&b, "kernel_subscriptions_total", "counter", "Subscriptions to kernel events; above 1 some were missed.", m.subscriptions)
	fmt.Fprint(&b, "# HELP node_network_route_changes_total Routes changed, by operation.\n# TYPE node_network_route_changes_total counter\n")
	for _, change := range []struct {
		operation string
		count     uint64
	}{{"add", m.routesAdded}, {"replace", m.routesReplaced}, {"remove", m.routesRemoved}} {
		fmt.Fprintf(&b, "node_network_route_changes_total{operation=%q} %d\n", change.operation, change.count)
	}
	if _, present := s.waiting[NetworkPolicy]; present {
		s.policyMetrics(&b)
	}
	return b.String()
}
