package main

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/policy"
	"github.com/org/k8s-platform/images/node-network/internal/policy/flows"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
)

// TestAnAddressThatIsUsedAgainStartsWithoutConnections has clients, of UDP, that do not stop when
// their server is gone: what keeps their connection tracked must not let them to the next pod.
func TestAnAddressThatIsUsedAgainStartsWithoutConnections(t *testing.T) {
	c, a, _, podC := newPolicyCluster(t)
	c.putPod("x", "old", "a", "", "app=old")
	c.putPod("x", "new", "a", "", "app=new")
	c.putPolicy("x", "deny", `{podSelector: {matchLabels: {app: new}}, policyTypes: [Ingress, Egress]}`)
	if err := ask(a, patience, gate.Add, "old", "10.244.1.7"); err != nil {
		t.Fatal(err)
	}
	pod := netnstest.AddPod(t, c.a, "10.244.1.7")
	netnstest.Echo(t, pod, "10.244.1.7")
	clients := map[string]net.Conn{"same node": dialEcho(t, podC, "10.244.1.7"), "another node": dialEcho(t, c.podB, "10.244.1.7")}
	bystander := dialEcho(t, podC, "10.244.2.5")
	for what, client := range clients {
		if err := hear(client, patience); err != nil {
			t.Fatalf("%s: the server of before does not answer, this test proves nothing: %v", what, err)
		}
	}
	if err := hear(bystander, patience); err != nil {
		t.Fatal(err)
	}

	if err := ask(a, patience, gate.Delete, "old", "10.244.1.7"); err != nil {
		t.Fatal(err)
	}
	c.api.Remove("pods", "x/old")
	if err := ask(a, patience, gate.Add, "new", "10.244.1.7"); err != nil {
		t.Fatal(err)
	}
	for what, client := range clients {
		for range 5 {
			if hear(client, quick) == nil {
				t.Errorf("%s: a client of the pod of before is answered by the next one", what)
			}
		}
	}
	if tracked := trackedWith(t, c.a, "10.244.1.7"); tracked > 0 {
		t.Errorf("%d connections of the address are tracked", tracked)
	}
	if trackedWith(t, c.a, "10.244.2.5") == 0 {
		t.Error("connections of others are forgotten too")
	}
}

// dialEcho opens a flow that stays the same one.
func dialEcho(t *testing.T, from *netnstest.Namespace, address string) (client net.Conn) {
	t.Helper()
	from.Run(func() (err error) {
		client, err = net.Dial("udp", net.JoinHostPort(address, "9000"))
		return err
	})
	t.Cleanup(func() { client.Close() })
	return client
}

func hear(client net.Conn, timeout time.Duration) error {
	_ = client.SetDeadline(time.Now().Add(timeout))
	if _, err := client.Write([]byte("?")); err != nil {
		return err
	}
	_, err := client.Read(make([]byte, 64))
	return err
}

// trackedWith counts the answered connections of a node that an address is the server of.
func trackedWith(t *testing.T, node *netnstest.Namespace, address string) (count int) {
	t.Helper()
	err := flows.Established(node.Handle, func(flow policy.Flow) {
		if flow.Destination == netip.MustParseAddr(address) {
			count++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}
