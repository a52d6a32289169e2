package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/kernel"
	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
)

func TestTwoNodesConnectTheirPods(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	// The premise: without the agents nothing of this works.
	for _, address := range []string{"10.244.2.5", netnstest.OutsideAddress} {
		if seen, err := netnstest.Ask(c.podA, address, quick); err == nil {
			t.Fatalf("%s answers without an agent, seen as %s", address, seen)
		}
	}
	a, b := start(t, c.a, "a", t.TempDir()), start(t, c.b, "b", t.TempDir())
	c.expectAll()
	for _, p := range []*program{a, b} {
		p.expectStatus("/healthz", 200, "ok")
		p.expectStatus("/readyz", 200, "ok")
		p.expectStatus("/metrics", 200, "node_network_ready 1\n")
	}
	if content := conflist(a.directory); !strings.Contains(content, `"subnet": "10.244.1.0/24"`) || !strings.Contains(content, `"mtu": 1500`) {
		t.Errorf("CNI configuration:\n%s", content)
	}
}

func TestAddressesWithoutPodAreRefusedAtOnce(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	start(t, c.a, "a", t.TempDir())
	start(t, c.b, "b", t.TempDir())
	c.expectAll()
	for what, address := range map[string]string{
		"no such pod on this node":    "10.244.1.77",
		"no such pod on another node": "10.244.2.77",
		"no such node":                "10.244.99.1",
	} {
		begin := time.Now()
		err := c.podA.Try(func() error {
			connection, err := net.DialTimeout("tcp", address+":80", patience)
			if err == nil {
				connection.Close()
			}
			return err
		})
		if !errors.Is(err, syscall.EHOSTUNREACH) || time.Since(begin) > time.Second {
			t.Errorf("%s: error %v after %s, want no route to host at once", what, err, time.Since(begin))
		}
	}
}

func TestNodesComeGoAndChangeAddress(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	start(t, c.a, "a", t.TempDir())
	own := []string{"unreachable 10.244.0.0/16", "unreachable 10.244.1.0/24"}
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12")...)

	c.api.Set("c", "10.244.3.0/24", "172.30.0.13")
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12", "10.244.3.0/24 via 172.30.0.13")...)

	start(t, c.b, "b", t.TempDir())
	c.expect("pod a to pod b", c.podA, "10.244.2.5", "10.244.1.5")
	c.b.RemoveAddress("eth0", "172.30.0.12/24")
	c.b.AddAddress("eth0", "172.30.0.22/24")
	c.api.Set("b", "10.244.2.0/24", "172.30.0.22")
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.22", "10.244.3.0/24 via 172.30.0.13")...)
	c.expectAll22()

	c.api.Delete("c")
	c.api.Delete("b")
	expectRoutes(t, c.a, own...)
	c.expect("a pod of a node that is gone", c.podA, "10.244.2.5", "")
}

func TestLinkFlapIsRepaired(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	a := start(t, c.a, "a", t.TempDir())
	start(t, c.b, "b", t.TempDir())
	c.expectAll()

	c.a.Down("eth0")
	c.expect("a pod over a link that is down", c.podA, "10.244.2.5", "")
	if routes := c.a.Routes(kernel.RouteProtocol); slices.Contains(routes, "10.244.2.0/24 via 172.30.0.12") {
		t.Fatalf("the kernel kept the route of a link that is down: %q", routes)
	}
	a.expectStatus("/readyz", 503, "10.244.2.0/24 via 172.30.0.12: the gateway is on no connected network")
	a.expectStatus("/healthz", 200, "ok")
	c.a.Up("eth0")
	start := time.Now()
	c.expectAll()
	t.Logf("everything reachable %s after the link came back", time.Since(start).Round(time.Millisecond))
	a.expectStatus("/readyz", 200, "ok")
	a.expectStatus("/metrics", 200, "node_network_default_routes_restored_total 1\n")
}

func TestRestartOfTheAgentIsNotNoticed(t *testing.T) {
	const restarts = 10
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			c := newCluster(t)
			c.serveAPI()
			directory := t.TempDir()
			first := start(t, c.a, "a", directory)
			start(t, c.b, "b", t.TempDir())
			c.expectAll()
			first.expectStatus("/readyz", 200, "ok")
			before := conflist(directory)

			streams := map[string]*netnstest.Stream{
				"pod to pod":         netnstest.StartStream(c.podA, "10.244.2.5", "10.244.1.5"),
				"pod to the outside": netnstest.StartStream(c.podA, netnstest.OutsideAddress, "172.30.0.11"),
			}
			running := first
			for range restarts {
				if err := running.end(signal); signal == syscall.SIGTERM && err != nil {
					t.Errorf("exit after SIGTERM: %v", err)
				}
				if conflist(directory) != before {
					t.Error("the CNI configuration went with the agent")
				}
				running = start(t, c.a, "a", directory)
				running.expectStatus("/readyz", 200, "ok")
				running.expectStatus("/metrics", 200, `node_network_route_changes_total{operation="add"} 0`+"\n")
			}
			for what, stream := range streams {
				stream.Stop()
				if len(stream.Failures) > 0 || stream.Sent < 3*restarts {
					t.Errorf("%s: %d of %d requests failed, first %q", what, len(stream.Failures), stream.Sent, stream.Failures[:min(1, len(stream.Failures))])
				}
				t.Logf("%s: %d requests over %d restarts", what, stream.Sent, restarts)
			}
		})
	}
}

func TestChangesWhileNoAgentRuns(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	directory := t.TempDir()
	first := start(t, c.a, "a", directory)
	c.api.Set("c", "10.244.3.0/24", "172.30.0.13")
	own := []string{"unreachable 10.244.0.0/16", "unreachable 10.244.1.0/24"}
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12", "10.244.3.0/24 via 172.30.0.13")...)
	if err := first.end(syscall.SIGKILL); err == nil {
		t.Fatal("a killed agent ended without error")
	}
	c.api.Delete("c")
	c.api.Set("d", "10.244.4.0/24", "172.30.0.14")
	start(t, c.a, "a", directory)
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12", "10.244.4.0/24 via 172.30.0.14")...)
}

func TestStartsBeforeTheAPIServerAndBeforeItsPodCIDR(t *testing.T) {
	c := newCluster(t)
	c.api.Set("a", "", "172.30.0.11")
	a := start(t, c.a, "a", t.TempDir())
	a.expectStatus("/readyz", 503, "waiting for the API server to list the nodes")
	a.expectStatus("/healthz", 200, "ok")

	// The way to the API server may need the default route: it is kept without one.
	c.a.Down("eth0")
	c.a.Up("eth0")
	netnstest.Eventually(t, "default route", patience, func() string {
		if routes := c.a.Routes(netnstest.Boot); !slices.Contains(routes, "0.0.0.0/0 via "+netnstest.RouterAddress) {
			return fmt.Sprintf("%q", routes)
		}
		return ""
	})

	// A first packet that got lost with the link is sent again only after a second.
	netnstest.Eventually(t, "what the agent waits for, in its log", patience, func() string {
		if !strings.Contains(a.logs(), "waiting for the API server to list the nodes") {
			return "not there"
		}
		return ""
	})
	c.serveAPI()
	a.expectStatus("/readyz", 503, "waiting for the API to give node a a podCIDR")
	if content := conflist(a.directory); content != "" {
		t.Errorf("CNI configuration without a podCIDR:\n%s", content)
	}
	expectRoutes(t, c.a, "unreachable 10.244.0.0/16", "10.244.2.0/24 via 172.30.0.12")
	c.api.Set("a", "10.244.1.0/24", "172.30.0.11")
	a.expectStatus("/readyz", 200, "ok")
	if content := conflist(a.directory); !strings.Contains(content, `"subnet": "10.244.1.0/24"`) {
		t.Errorf("CNI configuration:\n%s", content)
	}
}

func TestAnotherProgramsRemovalIsRepaired(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	start(t, c.a, "a", t.TempDir())
	want := []string{"unreachable 10.244.0.0/16", "unreachable 10.244.1.0/24", "10.244.2.0/24 via 172.30.0.12"}
	expectRoutes(t, c.a, want...)
	c.a.FlushRoutes(kernel.RouteProtocol)
	expectRoutes(t, c.a, want...)
}

func TestDeletedNodeObjectKeepsItsPodsConnected(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	a := start(t, c.a, "a", t.TempDir())
	start(t, c.b, "b", t.TempDir())
	c.expectAll()
	c.api.Delete("a")
	a.expectStatus("/readyz", 503, "waiting for the API to give node a a podCIDR")
	if conflist(a.directory) == "" {
		t.Error("the CNI configuration was removed")
	}
	c.expect("pod a to the outside", c.podA, netnstest.OutsideAddress, "172.30.0.11")
}
