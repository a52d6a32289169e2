// Package policy decides which packets of a node's pods may pass, from the network policies,
// pods and namespaces of the cluster. It is pure: it reads nothing and changes nothing.
package policy

import (
	"maps"
	"net/netip"
	"slices"
)

// Pod is what policies need to know of a pod.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	// Addresses are the pod's own: none while it has none yet, has ended, or uses its node's.
	Addresses []netip.Addr
	// Local is whether the pod runs on this node, whose agent enforces what its policies say.
	Local bool
	// Ports are the ports with a name.
	Ports []NamedPort
}

// NamedPort is a port of a container that policies may call by name.
type NamedPort struct {
	Name     string
	Protocol uint8
	Number   uint16
}

// Key identifies a namespaced object.
type Key struct{ Namespace, Name string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Key is the pod's identity.
func (p *Pod) Key() Key { return Key{p.Namespace, p.Name} }

func (p *Pod) equal(other *Pod) bool {
	return p.Local == other.Local && slices.Equal(p.Addresses, other.Addresses) &&
		slices.Equal(p.Ports, other.Ports) && maps.Equal(p.Labels, other.Labels)
}

// The protocols of networking.k8s.io/v1 by their IP protocol numbers.
const (
	TCP  = 6
	UDP  = 17
	SCTP = 132
)
