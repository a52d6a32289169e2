// Package plan decides what the kernel of a node should hold, from the nodes of the cluster
// and the addresses of this node. It is pure: it reads nothing and changes nothing.
package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Node is what this agent needs to know of a cluster node.
type Node struct {
	Name string
	// PodCIDRs holds at most one prefix per address family.
	PodCIDRs []netip.Prefix
	// InternalIPs holds the addresses of type InternalIP, in the order of the API.
	InternalIPs []netip.Addr
}

// Input is everything a plan follows from.
type Input struct {
	// Self is the name of the node the agent runs on.
	Self string
	// Nodes are all nodes of the cluster, this one included.
	Nodes []Node
	// PodSubnets are the ranges all podCIDRs are cut from; may be empty when unknown.
	PodSubnets []netip.Prefix
	// LocalAddresses are the addresses the kernel has on this node's links.
	LocalAddresses []netip.Addr
}

// Route is a route in the main table. A zero Gateway means unreachable.
type Route struct {
	Destination netip.Prefix
	Gateway     netip.Addr
}

func (r Route) String() string {
	if !r.Gateway.IsValid() {
		return "unreachable " + r.Destination.String()
	}
	return r.Destination.String() + " via " + r.Gateway.String()
}

// Plan is the desired state of the kernel of this node.
type Plan struct {
	// PodCIDRs are this node's own, which its pods get their addresses from. Empty as long as
	// the API has not assigned any.
	PodCIDRs []netip.Prefix
	// InternalIPs are this node's own addresses as the API knows them.
	InternalIPs []netip.Addr
	// Routes are sorted by destination, one per destination.
	Routes []Route
	// Cluster holds the destinations that pods reach under their own address: all pods and all
	// nodes. Disjoint and sorted.
	Cluster []Range
	// Problems are the parts of the input that had to be left out, one sentence each.
	Problems []string
}

// For returns the plan of node in.Self.
//
// Every other node's podCIDR is routed through that node's InternalIP. What is left of the pod
// network, this node's own podCIDR included, is unreachable: the routes of running pods are
// more specific, and a packet to a pod that is gone must fail here instead of leaving through
// the default route, where something foreign may answer it.
func For(in Input) Plan {
	var p Plan
	routes := map[netip.Prefix]Route{}
	var cluster []netip.Prefix

	for _, subnet := range in.PodSubnets {
		routes[subnet.Masked()] = Route{Destination: subnet.Masked()}
		cluster = append(cluster, subnet.Masked())
	}
	nodes := slices.Clone(in.Nodes)
	SortNodes(nodes)
	for _, node := range nodes {
		for _, address := range node.InternalIPs {
			cluster = append(cluster, netip.PrefixFrom(address, address.BitLen()))
		}
		cluster = append(cluster, masked(node.PodCIDRs)...)
		if node.Name == in.Self {
			p.PodCIDRs = masked(node.PodCIDRs)
			p.InternalIPs = slices.Clone(node.InternalIPs)
			for _, cidr := range p.PodCIDRs {
				routes[cidr] = Route{Destination: cidr}
			}
			continue
		}
		for _, cidr := range masked(node.PodCIDRs) {
			gateway, problem := gatewayTo(node, cidr, in.LocalAddresses)
			if problem != "" {
				p.Problems = append(p.Problems, problem)
				continue
			}
			if other, taken := routes[cidr]; taken && other.Gateway.IsValid() {
				p.Problems = append(p.Problems, fmt.Sprintf(
					"node %s: podCIDR %s is already routed to %s by another node", node.Name, cidr, other.Gateway))
				continue
			}
			routes[cidr] = Route{Destination: cidr, Gateway: gateway}
		}
	}

	for _, route := range routes {
		p.Routes = append(p.Routes, route)
	}
	slices.SortFunc(p.Routes, func(a, b Route) int {
		if c := a.Destination.Addr().Compare(b.Destination.Addr()); c != 0 {
			return c
		}
		return a.Destination.Bits() - b.Destination.Bits()
	})
	p.Cluster = Merge(cluster)
	return p
}

// SortNodes sorts by name, in place.
func SortNodes(nodes []Node) {
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
}

// gatewayTo returns the node's first InternalIP of the podCIDR's family, or why there is none.
func gatewayTo(node Node, cidr netip.Prefix, local []netip.Addr) (netip.Addr, string) {
	for _, address := range node.InternalIPs {
		if address.Is4() != cidr.Addr().Is4() {
			continue
		}
		// After a restart of several nodes, addresses may have changed hands while the API
		// still knows the old owner. The kernel refuses a gateway that is its own address.
		if slices.Contains(local, address) {
			return netip.Addr{}, fmt.Sprintf(
				"node %s: its InternalIP %s is an address of this node; waiting for the API to learn the new one", node.Name, address)
		}
		return address, ""
	}
	return netip.Addr{}, fmt.Sprintf("node %s: no InternalIP of the family of its podCIDR %s", node.Name, cidr)
}

func masked(prefixes []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(prefixes))
	for _, prefix := range prefixes {
		out = append(out, prefix.Masked())
	}
	return out
}
