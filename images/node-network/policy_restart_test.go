package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
)

// transactions counts the changes of the kernel's rules.
const transactions = "node_network_policy_transactions_total"

// TestRulesSurviveTheAgent kills and restarts the agent under traffic that is allowed and
// traffic that is denied: none of the first may be lost, none of the second may pass.
func TestRulesSurviveTheAgent(t *testing.T) {
	const restarts = 5
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			c, running, _, podC := newPolicyCluster(t)
			c.putPolicy("x", "allow-b", `{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}]}]}`)
			c.expect("denied", podC, "10.244.1.5", "")
			c.expect("allowed in", c.podB, "10.244.1.5", "10.244.2.5")
			c.expect("allowed out", c.podA, netnstest.OutsideAddress, "172.30.0.11")

			allowedIn := netnstest.StartStream(c.podB, "10.244.1.5", "10.244.2.5")
			allowedOut := netnstest.StartStream(c.podA, netnstest.OutsideAddress, "172.30.0.11")
			denied := []*netnstest.Flood{netnstest.StartFlood(podC, "10.244.1.5"), netnstest.StartFlood(c.podA, "10.244.2.5")}
			for range restarts {
				_ = running.end(signal)
				running = start(t, c.a, "a", running.directory)
				running.expectStatus("/readyz", 200, "ok")
				running.expectStatus("/metrics", 200, "node_network_policy_transactions_total 0\n")
				running.expectStatus("/metrics", 200, `node_network_policy_isolated_addresses{direction="ingress"} 2`+"\n")
			}
			for what, stream := range map[string]*netnstest.Stream{"in": allowedIn, "out": allowedOut} {
				stream.Stop()
				if len(stream.Failures) > 0 || stream.Sent < 3*restarts {
					t.Errorf("%s: %d of %d allowed requests failed, first %q", what, len(stream.Failures), stream.Sent, stream.Failures[:min(1, len(stream.Failures))])
				}
				t.Logf("%s: %d allowed requests over %d restarts", what, stream.Sent, restarts)
			}
			for _, flood := range denied {
				flood.Stop()
				if flood.Answers > 0 || flood.Sent < 100 {
					t.Errorf("%d of %d denied packets were answered", flood.Answers, flood.Sent)
				}
				t.Logf("%d denied packets over %d restarts", flood.Sent, restarts)
			}
		})
	}
}

// TestChangesUnderTrafficLetNothingSlip changes what is about other pods, hundreds of times,
// while a pod is isolated: its rules must hold for every single packet.
func TestChangesUnderTrafficLetNothingSlip(t *testing.T) {
	c, a, _, podC := newPolicyCluster(t)
	c.putPolicy("x", "deny", `{podSelector: {}}`)
	c.putPolicy("x", "allow", `{podSelector: {matchLabels: {app: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}`)
	c.expect("denied", podC, "10.244.1.5", "")
	c.expect("allowed", c.podB, "10.244.1.5", "10.244.2.5")
	allowed := netnstest.StartStream(c.podB, "10.244.1.5", "10.244.2.5")
	denied := netnstest.StartFlood(podC, "10.244.1.5")
	before := a.metric(transactions)
	for i := range 200 {
		written := a.metric(transactions)
		extra := strings.Repeat("x", i%3+1)
		c.putPolicy("x", "other", `{podSelector: {matchLabels: {app: `+extra+`}}, ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24}}]}]}`)
		c.putPolicy("x", "allow-more", `{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {role: `+extra+`}}}, {ipBlock: {cidr: 198.51.100.`+[]string{"0/30", "4/30", "8/30"}[i%3]+`}}]}]}`)
		c.putPod("x", "d", "a", "10.244.1.7", "role="+extra)
		c.putNamespace("z", "team="+extra)
		netnstest.Eventually(t, "a transaction", patience, func() string {
			if a.metric(transactions) == written {
				return "none"
			}
			return ""
		})
	}
	a.expectStatus("/metrics", 200, "node_network_policy_failures_total 0\n")
	allowed.Stop()
	denied.Stop()
	if len(allowed.Failures) > 0 || allowed.Sent < 50 {
		t.Errorf("%d of %d allowed requests failed, first %q", len(allowed.Failures), allowed.Sent, allowed.Failures[:min(1, len(allowed.Failures))])
	}
	if denied.Answers > 0 || denied.Sent < 1000 {
		t.Errorf("%d of %d denied packets were answered", denied.Answers, denied.Sent)
	}
	t.Logf("%d allowed requests and %d denied packets over %v transactions", allowed.Sent, denied.Sent, a.metric(transactions)-before)
}
