package netnstest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// Addresses of a LAN. The router knows the LAN and itself, but no pod network: what a pod
// sends there under its own address gets no answer.
const (
	RouterAddress  = "172.30.0.1"
	OutsideAddress = "192.0.2.1"
)

// LAN is a switch with a router on it, both in one namespace.
type LAN struct {
	Router *Namespace
	t      testing.TB
	ports  int
}

// NewLAN makes a LAN without nodes.
func NewLAN(t testing.TB) *LAN {
	t.Helper()
	router := New(t, "router")
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "lan"}}
	router.must("add bridge", router.Links.LinkAdd(bridge))
	router.Up("lan")
	router.AddAddress("lan", RouterAddress+"/24")
	router.AddAddress("lo", OutsideAddress+"/32")
	return &LAN{Router: router, t: t}
}

// AddNode makes a node with address (for example 172.30.0.11) on its link eth0 and a default
// route to the router.
func (l *LAN) AddNode(name, address string) *Namespace {
	l.t.Helper()
	node := New(l.t, name)
	l.ports++
	port := fmt.Sprintf("port%d", l.ports)
	connect(l.t, l.Router, port, node, "eth0")
	bridge := l.Router.Link("lan")
	l.Router.must("attach "+port, l.Router.Links.LinkSetMaster(l.Router.Link(port), bridge))
	l.Router.Up(port)
	node.Up("eth0")
	node.AddAddress("eth0", address+"/24")
	node.AddRoute("0.0.0.0/0", RouterAddress, "eth0")
	return node
}

// AddPod makes a pod the way the ptp plugin does: a pair of links, the first address of the
// podCIDR on the node's side, and a host route.
func AddPod(t testing.TB, node *Namespace, address string) *Namespace {
	t.Helper()
	pod := New(t, "pod-"+address)
	port := "pod" + address[strings.LastIndex(address, ".")+1:]
	connect(t, node, port, pod, "eth0")
	gateway := gatewayOf(address)
	node.Up(port)
	node.AddAddress(port, gateway+"/32")
	node.AddRoute(address+"/32", "", port)
	pod.Up("eth0")
	pod.AddAddress("eth0", address+"/32")
	pod.AddRoute(gateway+"/32", "", "eth0")
	pod.AddRoute("0.0.0.0/0", gateway, "eth0")
	return pod
}

// connect makes a veth pair with one end in each namespace.
func connect(t testing.TB, a *Namespace, aName string, b *Namespace, bName string) {
	t.Helper()
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: aName},
		PeerName:  bName, PeerNamespace: netlink.NsFd(b.Handle),
	}
	a.must("add link pair "+aName, a.Links.LinkAdd(pair))
}

func gatewayOf(podAddress string) string {
	bytes := netip.MustParseAddr(podAddress).As4()
	bytes[3] = 1
	return netip.AddrFrom4(bytes).String()
}
