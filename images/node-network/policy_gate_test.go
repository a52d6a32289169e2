package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
)

// ask does what the CNI plugin does for a pod of namespace x.
func ask(p *program, patience time.Duration, command, name, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return gate.Ask(ctx, filepath.Join(p.directory, "run"), gate.Request{Command: command, Announcement: gate.Announcement{
		Container: "container-of-" + name, Namespace: "x", Name: name, UID: "uid-of-pod", Addresses: []netip.Addr{netip.MustParseAddr(address)},
	}})
}

func TestTheFirstPacketObeys(t *testing.T) {
	c, a, _, podC := newPolicyCluster(t)
	c.putPolicy("x", "deny", `{podSelector: {matchLabels: {app: new}}, policyTypes: [Ingress, Egress], egress: [{to: [{podSelector: {matchLabels: {app: friend}}}]}]}`)
	c.putPod("x", "friend", "a", "", "app=friend")
	c.putPod("x", "new", "a", "", "app=new")

	// The pods exist in the API, but only the runtime knows their addresses.
	friend := netnstest.AddPod(t, c.a, "10.244.1.8")
	netnstest.Echo(t, friend, "10.244.1.8")
	if err := ask(a, patience, gate.Add, "friend", "10.244.1.8"); err != nil {
		t.Fatal(err)
	}
	pod := netnstest.AddPod(t, c.a, "10.244.1.7")
	netnstest.Echo(t, pod, "10.244.1.7")
	if _, err := netnstest.Ask(pod, "10.244.2.5", patience); err != nil {
		t.Fatalf("an address that no one asked about is isolated, this test proves nothing: %v", err)
	}
	if err := ask(a, patience, gate.Add, "new", "10.244.1.7"); err != nil {
		t.Fatal(err)
	}
	for what, packet := range map[string]struct {
		from *netnstest.Namespace
		to   string
	}{"out": {pod, "10.244.2.5"}, "out of the cluster": {pod, netnstest.OutsideAddress}, "in": {podC, "10.244.1.7"}, "in from another node": {c.podB, "10.244.1.7"}} {
		if seen, err := netnstest.Ask(packet.from, packet.to, quick); err == nil {
			t.Errorf("%s: the first packet passed, seen as %s", what, seen)
		}
	}
	if seen, err := netnstest.Ask(pod, "10.244.1.8", patience); err != nil || seen != "10.244.1.7" {
		t.Errorf("the first packet to a pod that is allowed: seen as %q, error %v", seen, err)
	}

	// An agent that is killed now was told by the runtime alone.
	_ = a.end(syscall.SIGKILL)
	a = start(t, c.a, "a", a.directory)
	a.expectStatus("/metrics", 200, "node_network_policy_ready 1\n")
	a.expectStatus("/metrics", 200, "node_network_policy_transactions_total 0\n")
	if seen, err := netnstest.Ask(pod, "10.244.2.5", quick); err == nil {
		t.Errorf("after a restart the pod's packet passed, seen as %s", seen)
	}

	// The API learns the address, the pod ends, and another one gets the address.
	c.putPod("x", "new", "a", "10.244.1.7", "app=new")
	if err := ask(a, patience, gate.Delete, "new", "10.244.1.7"); err != nil {
		t.Fatal(err)
	}
	c.putPod("x", "free", "a", "", "app=free")
	if err := ask(a, patience, gate.Add, "free", "10.244.1.7"); err != nil {
		t.Fatal(err)
	}
	if _, err := netnstest.Ask(pod, "10.244.2.5", patience); err != nil {
		t.Errorf("the pod that has the address now obeys the policies of the one before: %v", err)
	}
}

func TestAPodDeletedByForceObeysUntilItIsGone(t *testing.T) {
	c, a, _, podC := newPolicyCluster(t)
	c.putPolicy("x", "deny", `{podSelector: {}, policyTypes: [Egress]}`)
	if err := ask(a, patience, gate.Add, "c", "10.244.1.6"); err != nil {
		t.Fatal(err)
	}
	c.expect("before", podC, "10.244.2.5", "")
	c.api.Remove("pods", "x/c")
	c.putPod("x", "later", "a", "10.244.1.9") // followed in order, so the removal has been seen with it
	netnstest.Eventually(t, "the pod behind the removal", patience, func() string {
		if a.metric(`node_network_policy_isolated_addresses{direction="egress"}`) != 3 {
			return "not isolated yet"
		}
		return ""
	})
	if seen, err := netnstest.Ask(podC, "10.244.2.5", quick); err == nil {
		t.Errorf("a pod that still runs is free, seen as %s", seen)
	}

	// An agent that starts now finds it neither in the API nor anywhere else but in its notes.
	_ = a.end(syscall.SIGKILL)
	a = start(t, c.a, "a", a.directory)
	a.expectStatus("/readyz", 200, "ok")
	for range 3 {
		if seen, err := netnstest.Ask(podC, "10.244.2.5", quick); err == nil {
			t.Errorf("after a restart a pod that still runs is free, seen as %s", seen)
		}
	}
	a.expectStatus("/metrics", 200, "node_network_policy_transactions_total 0\n")
	c.putPolicy("x", "allow", `{podSelector: {matchLabels: {app: c}}, policyTypes: [Egress], egress: [{}]}`)
	c.expect("by a policy that selects its labels", podC, "10.244.2.5", "10.244.1.6")
	c.api.Remove("networkpolicies", "x/allow")
	c.expect("without that policy", podC, "10.244.2.5", "")

	// One of its name elsewhere is another pod.
	c.putPod("x", "c", "b", "10.244.2.6", "app=elsewhere")
	c.putPod("x", "later", "a", "10.244.1.9", "seen=too")
	c.expect("with its name on another node", podC, "10.244.2.5", "")
	if err := ask(a, patience, gate.Delete, "c", "10.244.1.6"); err != nil {
		t.Fatal(err)
	}
	c.expect("after its sandbox was taken down", podC, "10.244.2.5", "10.244.1.6")
}

func TestAPodWaitsUntilItsPoliciesAreKnown(t *testing.T) {
	c, a, _, _ := newPolicyCluster(t)
	if err := ask(a, quick, gate.Add, "late", "10.244.1.9"); err == nil {
		t.Error("a pod that the API has not told of may start")
	}
	admitted := make(chan error, 1)
	go func() { admitted <- ask(a, patience, gate.Add, "late", "10.244.1.9") }()
	c.putPod("x", "late", "a", "", "app=late")
	select {
	case err := <-admitted:
		if err != nil {
			t.Errorf("the pod may not start: %v", err)
		}
	case <-time.After(patience):
		t.Error("the pod still waits")
	}

	// Without an agent a pod waits for the next one, and one that ends does not.
	_ = a.end(syscall.SIGKILL)
	if err := ask(a, quick, gate.Add, "late", "10.244.1.9"); err == nil || !strings.Contains(err.Error(), gate.ErrNoAgent.Error()) {
		t.Errorf("without an agent: %v", err)
	}
	go func() { admitted <- ask(a, patience, gate.Add, "late", "10.244.1.9") }()
	start(t, c.a, "a", a.directory)
	if err := <-admitted; err != nil {
		t.Errorf("an agent that came back says no: %v", err)
	}
	notes, _ := os.ReadDir(filepath.Join(a.directory, "run", "pods"))
	if len(notes) != 1 {
		t.Errorf("%d notes, want one", len(notes))
	}
	if err := ask(a, patience, gate.Delete, "late", "10.244.1.9"); err != nil {
		t.Error(err)
	}
	if notes, _ := os.ReadDir(filepath.Join(a.directory, "run", "pods")); len(notes) != 0 {
		t.Errorf("a pod that ended left a note")
	}
}

func TestASecondAgentLeavesTheFirstOneItsSocket(t *testing.T) {
	c, a, _, _ := newPolicyCluster(t)
	second := start(t, c.a, "a", a.directory)
	select {
	case err := <-second.exited:
		if err == nil || !strings.Contains(second.logs(), "--listen") {
			t.Errorf("the second agent ended with %v and %q", err, second.logs())
		}
	case <-time.After(patience):
		t.Fatal("the second agent goes on")
	}
	if err := ask(a, patience, gate.Add, "c", "10.244.1.6"); err != nil {
		t.Errorf("the first agent is not asked any more: %v", err)
	}
}

// TestAPodWaitsWhilePoliciesAreOutdated has an API server that answers everything but one resource.
func TestAPodWaitsWhilePoliciesAreOutdated(t *testing.T) {
	for _, resource := range []string{"networkpolicies", "namespaces"} {
		t.Run(resource, func(t *testing.T) {
			c, a, _, _ := newPolicyCluster(t)
			c.putPod("x", "new", "a", "", "app=new")
			if err := ask(a, patience, gate.Add, "c", "10.244.1.6"); err != nil {
				t.Fatal(err)
			}
			c.api.Deny(resource, true)
			a.expectStatus("/readyz", 503, resource+" are not followed since 20")
			if _, metrics := a.get("/metrics"); strings.Contains(metrics, `not_followed_since_seconds{resource="`+resource+`"} 0.000`) || !strings.Contains(metrics, `not_followed_since_seconds{resource="pods"} 0.000`) {
				t.Errorf("metrics:\n%s", metrics)
			}
			if err := ask(a, quick, gate.Add, "new", "10.244.1.7"); err == nil {
				t.Error("a pod may start under policies of unknown age")
			}
			c.putPolicy("x", "deny", `{podSelector: {matchLabels: {app: new}}, policyTypes: [Egress]}`)
			admitted := make(chan error, 1)
			go func() { admitted <- ask(a, patience, gate.Add, "new", "10.244.1.7") }()
			c.api.Deny(resource, false)
			if err := <-admitted; err != nil {
				t.Errorf("with the resource back: %v", err)
			}
			pod := netnstest.AddPod(t, c.a, "10.244.1.7")
			for range 3 {
				if seen, err := netnstest.Ask(pod, "10.244.2.5", quick); err == nil {
					t.Errorf("a policy made meanwhile does not hold, seen as %s", seen)
				}
			}
			a.expectStatus("/readyz", 200, "ok")
		})
	}
}
