package status

import (
	"fmt"
	"maps"
	"slices"
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
	following              Following
}

// Following tells how well the cluster is followed, at the time it is asked.
type Following struct {
	// Outdated names what has not been followed for too long; empty when all is.
	Outdated func() string
	// NotCurrentSince is when each resource was known last; zero when it is now.
	NotCurrentSince func() map[string]time.Time
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

// PolicyFollows takes whom to ask how well the cluster is followed.
func (s *Status) PolicyFollows(f Following) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy.following = f
}

// PolicySCTP takes whether the kernel tracks SCTP connections.
func (s *Status) PolicySCTP(tracked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy.sctp = tracked
}

// policyReady returns what the kernel lacks, and else what is too old.
func (s *Status) policyReady() string {
	reason := s.waiting[NetworkPolicy]
	if outdated := s.policy.following.Outdated; reason == "" && outdated != nil {
		return outdated()
	}
	return reason
}

func (s *Status) followingMetrics(b *strings.Builder) {
	if s.policy.following.NotCurrentSince == nil {
		return
	}
	const name = "node_network_policy_not_followed_since_seconds"
	fmt.Fprintf(b, "# HELP %s When a resource was known last; 0 while it is followed.\n# TYPE %s gauge\n", name, name)
	all := s.policy.following.NotCurrentSince()
	for _, resource := range slices.Sorted(maps.Keys(all)) {
		seconds := 0.0
		if since := all[resource]; !since.IsZero() {
			seconds = float64(since.UnixMilli()) / 1000
		}
		fmt.Fprintf(b, "%s{resource=%q} %.3f\n", name, resource, seconds)
	}
}

func (s *Status) policyMetrics(b *strings.Builder) {
	m := s.policy
	ready := 0
	if s.policyReady() == "" {
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
	s.followingMetrics(b)
	sctp := 0
	if m.sctp {
		sctp = 1
	}
	write(b, "policy_sctp_tracked", "gauge", "1 when the kernel tracks SCTP; without that, SCTP between two addresses passes once one association did.", sctp)
}
