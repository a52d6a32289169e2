package kernel

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

func route(destination, gateway string) plan.Route {
	r := plan.Route{Destination: netip.MustParsePrefix(destination)}
	if gateway != "" {
		r.Gateway = netip.MustParseAddr(gateway)
	}
	return r
}

func openNode(t *testing.T) (*netnstest.Namespace, *Kernel) {
	t.Helper()
	node := netnstest.NewLAN(t).AddNode("node", "172.30.0.11")
	k, err := Open(node.Handle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return node, k
}

func expectRoutes(t *testing.T, node *netnstest.Namespace, want ...string) {
	t.Helper()
	if got := node.Routes(RouteProtocol); !slices.Equal(got, want) {
		t.Errorf("routes of the agent\n got %q\nwant %q", got, want)
	}
}

func TestSyncRoutes(t *testing.T) {
	node, k := openNode(t)
	node.AddRoute("10.99.0.0/24", "172.30.0.7", "eth0") // not the agent's
	steps := []struct {
		name    string
		desired []plan.Route
		changes Changes
		want    []string
	}{
		{"nodes come", []plan.Route{route("10.244.0.0/16", ""), route("10.244.1.0/24", "172.30.0.12"), route("10.244.2.0/24", "172.30.0.13")},
			Changes{Added: 3}, []string{"unreachable 10.244.0.0/16", "10.244.1.0/24 via 172.30.0.12", "10.244.2.0/24 via 172.30.0.13"}},
		{"nothing changes", []plan.Route{route("10.244.0.0/16", ""), route("10.244.1.0/24", "172.30.0.12"), route("10.244.2.0/24", "172.30.0.13")},
			Changes{}, []string{"unreachable 10.244.0.0/16", "10.244.1.0/24 via 172.30.0.12", "10.244.2.0/24 via 172.30.0.13"}},
		{"an address changes, a node goes", []plan.Route{route("10.244.0.0/16", ""), route("10.244.1.0/24", "172.30.0.22")},
			Changes{Replaced: 1, Removed: 1}, []string{"unreachable 10.244.0.0/16", "10.244.1.0/24 via 172.30.0.22"}},
		{"unreachable becomes a node's, and the reverse", []plan.Route{route("10.244.0.0/16", "172.30.0.12"), route("10.244.1.0/24", "")},
			Changes{Replaced: 2}, []string{"10.244.0.0/16 via 172.30.0.12", "unreachable 10.244.1.0/24"}},
		{"all go", nil, Changes{Removed: 2}, []string{}},
	}
	for _, step := range steps {
		changes, err := k.SyncRoutes(step.desired)
		if err != nil || changes != step.changes {
			t.Errorf("%s: changes %+v, error %v, want %+v", step.name, changes, err, step.changes)
		}
		expectRoutes(t, node, step.want...)
	}
	if got := node.Routes(netnstest.Boot); !slices.Contains(got, "10.99.0.0/24 via 172.30.0.7") {
		t.Errorf("the foreign route is gone: %q", got)
	}
}

func TestSyncRoutesLeavesForeignRoutesAndSetsTheOthers(t *testing.T) {
	node, k := openNode(t)
	node.AddRoute("10.244.1.0/24", "172.30.0.99", "eth0")
	_, err := k.SyncRoutes([]plan.Route{
		route("10.244.1.0/24", "172.30.0.12"), // taken
		route("10.244.2.0/24", "10.1.2.3"),    // not on the network
		route("10.244.3.0/24", "172.30.0.13"),
	})
	if err == nil || !strings.Contains(err.Error(), "another program holds a route to this destination") ||
		!strings.Contains(err.Error(), "10.244.2.0/24 via 10.1.2.3: the gateway is on no connected network") {
		t.Errorf("the error does not name both failures: %v", err)
	}
	expectRoutes(t, node, "10.244.3.0/24 via 172.30.0.13")
	if got := node.Routes(netnstest.Boot); !slices.Contains(got, "10.244.1.0/24 via 172.30.0.99") {
		t.Errorf("the foreign route was touched: %q", got)
	}
}

func TestSyncRoutesIPv6(t *testing.T) {
	node, k := openNode(t)
	node.AddAddress("eth0", "fd00:30::11/64")
	changes, err := k.SyncRoutes([]plan.Route{route("fd00:10:244::/56", ""), route("fd00:10:244:1::/64", "fd00:30::12")})
	if err != nil || changes.Added != 2 {
		t.Fatalf("changes %+v, error %v", changes, err)
	}
	expectRoutes(t, node, "fd00:10:244:1::/64 via fd00:30::12", "unreachable fd00:10:244::/56")
	if changes, err = k.SyncRoutes([]plan.Route{route("fd00:10:244:1::/64", "fd00:30::13")}); err != nil || changes != (Changes{Replaced: 1, Removed: 1}) {
		t.Fatalf("changes %+v, error %v", changes, err)
	}
	expectRoutes(t, node, "fd00:10:244:1::/64 via fd00:30::13")
}

func TestUplinkMTU(t *testing.T) {
	node, k := openNode(t)
	if err := node.Links.LinkSetMTU(node.Link("eth0"), 1380); err != nil {
		t.Fatal(err)
	}
	for name, addresses := range map[string][]netip.Addr{
		"by the node's address":        {netip.MustParseAddr("172.30.0.11")},
		"by the default route instead": {netip.MustParseAddr("172.30.0.200")},
	} {
		if mtu, err := k.UplinkMTU(addresses); err != nil || mtu != 1380 {
			t.Errorf("%s: MTU %d, error %v, want 1380", name, mtu, err)
		}
	}
}
