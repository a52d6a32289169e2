package status

import (
	"fmt"
	"strings"
	"time"
)

// PolicyResult is the outcome of bringing network policies into the kernel once.
type PolicyResult struct {
	// Failure says why the kernel does not hold them; empty when it does.
	Failure string
	// Policies and Pods are what is known of the cluster, Problems the parts of policies that
	// had to be left out.
	Policies, Pods, Problems int
	// Isolated are the addresses of this node's pods that policies select, for ingress and egress.
	Isolated [2]int
	// Chains and Sets are what the kernel's tables hold for that.
	Chains, Sets int
	// Transactions were needed, and Duration with what led to them.
	Transactions int
	Duration     time.Duration
	// Latency is how long the oldest change waited, from its event to the kernel.
	Latency time.Duration
}

type policyMetrics struct {
	PolicyResult
	transactions, failures uint64
	seconds                float64
	lastChange             time.Time
	latency                time.Duration
	established            int
	sctp                   bool
}

// PolicyWaits says what enforcing network policies waits for.
func (s *Status) PolicyWaits(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.started, NetworkPolicy)
	s.waiting[NetworkPolicy] = reason
}

// PolicyEnds takes the outcome of the last attempt.
func (s *Status) PolicyEnds(r PolicyResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.started, NetworkPolicy)
	s.waiting[NetworkPolicy] = r.Failure
	m := &s.policy
	m.PolicyResult = r
	m.transactions += uint64(r.Transactions)
	m.seconds += r.Duration.Seconds()
	if r.Failure != "" {
		m.failures++
	}
	if r.Transactions > 0 {
		m.lastChange = s.now()
		m.latency = r.Latency
	}
}

// PolicyEstablished takes how many connections go on that the rules would not let begin.
func (s *Status) PolicyEstablished(connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy.established = connections
}

// PolicySCTP takes whether the kernel tracks SCTP connections.
func (s *Status) PolicySCTP(tracked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy.sctp = tracked
}

func (s *Status) policyMetrics(b *strings.Builder) {
	m := s.policy
	ready := 0
	if s.waiting[NetworkPolicy] == "" {
		ready = 1
	}
	lastChange := 0.0
	if !m.lastChange.IsZero() {
		lastChange = float64(m.lastChange.UnixMilli()) / 1000
	}
	write(b, "policy_ready", "gauge", "1 when the kernel holds what the network policies of the cluster say.", ready)
	write(b, "policies", "gauge", "Network policies of the cluster.", m.Policies)
	write(b, "policy_problems", "gauge", "Parts of network policies that are left out, and allow nothing; the log names them.", m.Problems)
	write(b, "policy_pods", "gauge", "Pods of the cluster that network policies may name.", m.Pods)
	fmt.Fprint(b, "# HELP node_network_policy_isolated_addresses Addresses of this node's pods that network policies select.\n# TYPE node_network_policy_isolated_addresses gauge\n")
	for i, direction := range []string{"ingress", "egress"} {
		fmt.Fprintf(b, "node_network_policy_isolated_addresses{direction=%q} %d\n", direction, m.Isolated[i])
	}
	write(b, "policy_chains", "gauge", "Chains of the nftables tables of network policies.", m.Chains)
	write(b, "policy_sets", "gauge", "Sets of the nftables tables of network policies.", m.Sets)
	write(b, "policy_transactions_total", "counter", "Transactions that changed the nftables tables of network policies.", m.transactions)
	write(b, "policy_failures_total", "counter", "Attempts to write network policies to the kernel that failed.", m.failures)
	write(b, "policy_seconds_total", "counter", "Time spent in writing network policies to the kernel.", m.seconds)
	write(b, "policy_last_change_timestamp_seconds", "gauge", "When the kernel's network policies changed last.", fmt.Sprintf("%.3f", lastChange))
	write(b, "policy_last_change_latency_seconds", "gauge", "From the API's event to the kernel, of the oldest change in the last transaction.", m.latency.Seconds())
	write(b, "policy_established_denied", "gauge", "Connections of this node's pods that go on although a new one like it would be denied.", m.established)
	sctp := 0
	if m.sctp {
		sctp = 1
	}
	write(b, "policy_sctp_tracked", "gauge", "1 when the kernel tracks SCTP; without that, SCTP between two addresses passes once one association did.", sctp)
}
