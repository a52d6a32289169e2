// Package netnstest makes network namespaces for tests: a LAN of nodes with pods, and a
// world outside of it. Everything is made by the test itself and gone with it.
package netnstest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that lives as long as its test.
type Namespace struct {
	t      testing.TB
	name   string
	Handle netns.NsHandle
	Links  *netlink.Handle
}

// New makes a namespace with loopback up and forwarding on. Where that is not allowed the test
// fails, as `go test` hides the reason of a skip; with -short it is skipped.
func New(t testing.TB, name string) *Namespace {
	t.Helper()
	handle, err := create()
	if err != nil {
		const needs = "this test makes network namespaces, which needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN"
		if testing.Short() {
			t.Skipf("%s: %v", needs, err)
		}
		t.Fatalf("%s: %v; leave such tests out with: go test -short", needs, err)
	}
	links, err := netlink.NewHandleAt(handle, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatalf("open rtnetlink in %s: %v", name, err)
	}
	n := &Namespace{t: t, name: name, Handle: handle, Links: links}
	t.Cleanup(func() { links.Close(); handle.Close() })
	n.Up("lo")
	n.Run(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
	return n
}

func create() (netns.NsHandle, error) {
	type result struct {
		handle netns.NsHandle
		err    error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		handle, err := netns.New()
		made <- result{handle, err}
	}()
	r := <-made
	return r.handle, r.err
}

// Run runs f on a thread inside the namespace and fails the test on its error. Sockets that f
// opens and processes that it starts stay in the namespace.
func (n *Namespace) Run(f func() error) {
	n.t.Helper()
	if err := n.Try(f); err != nil {
		n.t.Fatalf("in namespace %s: %v", n.name, err)
	}
}

// Try runs f like Run and returns its error.
func (n *Namespace) Try(f func() error) error {
	finished := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := netns.Set(n.Handle)
		if err == nil {
			err = f()
		}
		finished <- err
	}()
	return <-finished
}

// Link returns a link by name.
func (n *Namespace) Link(name string) netlink.Link {
	n.t.Helper()
	link, err := n.Links.LinkByName(name)
	if err != nil {
		n.t.Fatalf("link %s in %s: %v", name, n.name, err)
	}
	return link
}

// Up and Down set a link's administrative state.
func (n *Namespace) Up(link string) {
	n.t.Helper()
	n.must("set up "+link, n.Links.LinkSetUp(n.Link(link)))
}

// Down sets a link down; the kernel drops the routes over it.
func (n *Namespace) Down(link string) {
	n.t.Helper()
	n.must("set down "+link, n.Links.LinkSetDown(n.Link(link)))
}

// AddAddress gives a link an address with its prefix length.
func (n *Namespace) AddAddress(link, address string) {
	n.t.Helper()
	parsed, err := netlink.ParseAddr(address)
	n.must("parse "+address, err)
	n.must("add "+address, n.Links.AddrAdd(n.Link(link), parsed))
}

// RemoveAddress is the reverse of AddAddress.
func (n *Namespace) RemoveAddress(link, address string) {
	n.t.Helper()
	parsed, err := netlink.ParseAddr(address)
	n.must("parse "+address, err)
	n.must("remove "+address, n.Links.AddrDel(n.Link(link), parsed))
}

// AddRoute adds a route of protocol boot, as an administrator's `ip route add` does. An empty
// gateway means on-link.
func (n *Namespace) AddRoute(destination, gateway, link string) {
	n.t.Helper()
	route := &netlink.Route{LinkIndex: n.Link(link).Attrs().Index, Protocol: unix.RTPROT_BOOT}
	_, network, err := net.ParseCIDR(destination)
	n.must("parse "+destination, err)
	route.Dst = network
	if gateway == "" {
		route.Scope = netlink.SCOPE_LINK
	} else {
		route.Gw = netip.MustParseAddr(gateway).AsSlice()
	}
	n.must("add route to "+destination, n.Links.RouteAdd(route))
}

// Routes returns the main table's routes of a protocol, as "destination via gateway".
func (n *Namespace) Routes(protocol netlink.RouteProtocol) []string {
	n.t.Helper()
	list, err := n.Links.RouteListFiltered(netlink.FAMILY_ALL,
		&netlink.Route{Protocol: protocol, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	n.must("list routes", err)
	routes := []string{}
	for _, route := range list {
		switch {
		case route.Type == unix.RTN_UNREACHABLE:
			routes = append(routes, fmt.Sprintf("unreachable %s", route.Dst))
		case route.Gw != nil:
			routes = append(routes, fmt.Sprintf("%s via %s", route.Dst, route.Gw))
		default:
			routes = append(routes, route.Dst.String())
		}
	}
	return routes
}

func (n *Namespace) must(what string, err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s in %s: %v", what, n.name, err)
	}
}

// Boot is the protocol of routes that no daemon owns.
const Boot = netlink.RouteProtocol(unix.RTPROT_BOOT)

// FlushRoutes removes the main table's routes of a protocol.
func (n *Namespace) FlushRoutes(protocol netlink.RouteProtocol) {
	n.t.Helper()
	list, err := n.Links.RouteListFiltered(netlink.FAMILY_ALL,
		&netlink.Route{Protocol: protocol, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	n.must("list routes", err)
	for _, route := range list {
		n.must("remove route", n.Links.RouteDel(&route))
	}
}
