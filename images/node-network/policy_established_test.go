package main

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
)

// TestEstablishedConnectionsGoOnAndAreReported denies what a connection was made by.
func TestEstablishedConnectionsGoOnAndAreReported(t *testing.T) {
	c, a, _, _ := newPolicyCluster(t)
	var listener net.Listener
	c.podA.Run(func() (err error) {
		listener, err = net.Listen("tcp", "10.244.1.5:7000")
		return err
	})
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(connection, connection) }()
		}
	}()
	dial := func(from *netnstest.Namespace, timeout time.Duration) (connection net.Conn, err error) {
		err = from.Try(func() (err error) {
			connection, err = net.DialTimeout("tcp", "10.244.1.5:7000", timeout)
			return err
		})
		return connection, err
	}
	say := func(connection net.Conn) error {
		_ = connection.SetDeadline(time.Now().Add(patience))
		if _, err := connection.Write([]byte("hello")); err != nil {
			return err
		}
		_, err := io.ReadFull(connection, make([]byte, 5))
		return err
	}
	fromPod, err := dial(c.podB, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer fromPod.Close()
	fromNode, err := dial(c.a, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer fromNode.Close()
	for _, connection := range []net.Conn{fromPod, fromNode} {
		if err := say(connection); err != nil {
			t.Fatal(err)
		}
	}

	c.putPolicy("x", "deny", `{podSelector: {}}`)
	c.expect("a new flow", c.podB, "10.244.1.5", "")
	if connection, err := dial(c.podB, quick); err == nil {
		connection.Close()
		t.Error("a new connection was let through")
	} else if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Errorf("a new connection was refused instead of dropped: %v", err)
	}
	for what, connection := range map[string]net.Conn{"a pod": fromPod, "the node": fromNode} {
		if err := say(connection); err != nil {
			t.Errorf("the established connection from %s broke: %v", what, err)
		}
	}
	// The node's own may begin anew, and so it is not counted. UDP flows of before may be, until they time out.
	expectCount(t, a, 1)
	c.putPolicy("x", "allow", `{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}`)
	expectCount(t, a, 0)
	c.api.Remove("networkpolicies", "x/allow")
	expectCount(t, a, 1)

	// An agent that starts finds all rules in place, and counts all the same; later at every resync.
	_ = a.end(syscall.SIGKILL)
	a = start(t, c.a, "a", a.directory, "--resync=200ms")
	a.expectStatus("/readyz", 200, "ok")
	expectCount(t, a, 1)
	connections, err := netlink.NewHandleAt(c.a.Handle, unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatal(err)
	}
	defer connections.Close()
	if err := connections.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
		t.Fatal(err)
	}
	expectCount(t, a, 0)
	a.expectStatus("/metrics", 200, "node_network_policy_transactions_total 0\n")
}

func expectCount(t *testing.T, p *program, least float64) {
	t.Helper()
	netnstest.Eventually(t, "connections that would be denied", patience, func() string {
		count := p.metric("node_network_policy_established_denied")
		if least == 0 && count != 0 || count < least {
			return "another number"
		}
		return ""
	})
}
