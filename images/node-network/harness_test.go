package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/kernel"
	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/nodestest"
)

const (
	apiAddress = netnstest.RouterAddress + ":8080"
	patience   = 10 * time.Second
	quick      = 200 * time.Millisecond
)

// testCluster is nodes a and b with a pod each, an API server on the router, and an echo on
// every pod and outside.
type testCluster struct {
	t          *testing.T
	api        *nodestest.Server
	lan        *netnstest.LAN
	a, b       *netnstest.Namespace
	podA, podB *netnstest.Namespace
}

func newCluster(t *testing.T) *testCluster {
	t.Helper()
	lan := netnstest.NewLAN(t)
	c := &testCluster{t: t, api: nodestest.NewServer(), lan: lan, a: lan.AddNode("a", "172.30.0.11"), b: lan.AddNode("b", "172.30.0.12")}
	c.podA, c.podB = netnstest.AddPod(t, c.a, "10.244.1.5"), netnstest.AddPod(t, c.b, "10.244.2.5")
	netnstest.Echo(t, c.podA, "10.244.1.5")
	netnstest.Echo(t, c.podB, "10.244.2.5")
	netnstest.Echo(t, lan.Router, netnstest.OutsideAddress)
	c.api.Set("a", "10.244.1.0/24", "172.30.0.11")
	c.api.Set("b", "10.244.2.0/24", "172.30.0.12")
	return c
}

// serveAPI starts the API server.
func (c *testCluster) serveAPI() {
	c.t.Helper()
	var listener net.Listener
	c.lan.Router.Run(func() (err error) {
		listener, err = net.Listen("tcp", apiAddress)
		return err
	})
	web := &http.Server{Handler: c.api}
	go func() { _ = web.Serve(listener) }()
	c.t.Cleanup(func() { web.Close() })
}

// expect waits until a datagram from a pod is seen as want at address; an empty want means
// that it is dropped.
func (c *testCluster) expect(what string, from *netnstest.Namespace, address, want string) {
	c.t.Helper()
	if want == "" {
		netnstest.Eventually(c.t, what, patience, func() string { return c.notDropped(from, address) })
		return
	}
	netnstest.Eventually(c.t, what, patience, func() string {
		seen, err := netnstest.Ask(from, address, quick)
		if err != nil || seen != want {
			return fmt.Sprintf("seen as %q, error %v", seen, err)
		}
		return ""
	})
}

// notDropped says why datagrams do not count as dropped: three in a row have to time out, and the
// server must answer its own node sooner than that in between, or the machine was only slow.
func (c *testCluster) notDropped(from *netnstest.Namespace, address string) string {
	near := c.lan.Router
	for prefix, node := range map[string]*netnstest.Namespace{"10.244.1.": c.a, "10.244.2.": c.b} {
		if strings.HasPrefix(address, prefix) {
			near = node
		}
	}
	for range 3 {
		seen, err := netnstest.Ask(from, address, quick)
		if err == nil {
			return "answered, seen as " + seen
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Sprintf("not dropped: %v", err)
		}
		if _, err := netnstest.Ask(near, address, quick); err != nil {
			return fmt.Sprintf("its own node gets no answer in that time either: %v", err)
		}
	}
	return ""
}

// expectAll checks both directions between the pods and both ways out.
func (c *testCluster) expectAll() {
	c.t.Helper()
	c.expect("pod a to pod b", c.podA, "10.244.2.5", "10.244.1.5")
	c.expect("pod b to pod a", c.podB, "10.244.1.5", "10.244.2.5")
	c.expect("pod a to the outside", c.podA, netnstest.OutsideAddress, "172.30.0.11")
	c.expect("pod b to the outside", c.podB, netnstest.OutsideAddress, "172.30.0.12")
}

// expectAll22 is expectAll after node b has moved to 172.30.0.22.
func (c *testCluster) expectAll22() {
	c.t.Helper()
	c.expect("pod a to pod b", c.podA, "10.244.2.5", "10.244.1.5")
	c.expect("pod b to pod a", c.podB, "10.244.1.5", "10.244.2.5")
	c.expect("pod b to the outside", c.podB, netnstest.OutsideAddress, "172.30.0.22")
}

func expectRoutes(t *testing.T, node *netnstest.Namespace, want ...string) {
	t.Helper()
	netnstest.Eventually(t, "routes of the agent", patience, func() string {
		if got := node.Routes(kernel.RouteProtocol); !slices.Equal(got, want) {
			return fmt.Sprintf("got %q, want %q", got, want)
		}
		return ""
	})
}
