package policy

import (
	"net/netip"
)

// Table is the desired content of the nftables table of one address family, and of nothing
// else: which chains a packet visits, the sets they ask, and the pods they stand for. Package
// nft writes it to the kernel; Allows follows a packet through it.
type Table struct {
	IPv4   bool
	Sets   map[string]*Set
	Chains map[string][]Rule
	// Isolated holds the chain of each isolated pod of this node, by its address.
	Isolated [2]map[netip.Addr]string
	// Changes says what differs from the table as it was taken last.
	Changes Changes
}

// Direction is seen from the pod that a policy selects.
type Direction int

// The directions of networking.k8s.io/v1.
const (
	Ingress Direction = iota
	Egress
)

func (d Direction) String() string {
	if d == Egress {
		return "egress"
	}
	return "ingress"
}

// Directions are both of them, in the order of Table.Isolated.
var Directions = [2]Direction{Ingress, Egress}

// SetKind says what the elements of a set are.
type SetKind int

const (
	// Addresses is a set of single addresses.
	Addresses SetKind = iota
	// AddressPorts is a set of addresses, each with a port.
	AddressPorts
	// Ranges is a set of disjoint ranges of addresses. Its name follows from its elements, so it never changes.
	Ranges
)

// Set is a named set. Its elements are the keys; the values count the pods that an element
// comes from.
type Set struct {
	Kind     SetKind
	Comment  string
	Elements map[Element]int
}

// Element is an address, an address with a port, or a range of addresses.
type Element struct {
	First netip.Addr
	Last  netip.Addr // of Ranges only
	Port  uint16     // of AddressPorts only
}

// Verdict is what a rule does with a packet that it matches.
type Verdict int

const (
	// Accept ends the check of one direction.
	Accept Verdict = iota
	// Drop loses the packet.
	Drop
	// Jump visits another chain and comes back unless that one decides.
	Jump
	// Goto leaves the chain for another one.
	Goto
)

// Rule matches a packet that fulfils everything it states; a zero value states nothing.
type Rule struct {
	// Source and Destination name sets that hold the packet's address.
	Source, Destination string
	// From and To are the packet's only address.
	From, To netip.Addr
	// Protocol is an IP protocol number.
	Protocol uint8
	// FirstPort to LastPort hold the destination port; stated when LastPort is not 0, which no port is.
	FirstPort, LastPort uint16
	// DestinationPort names a set of addresses with ports that holds the packet's destination.
	DestinationPort string

	Verdict Verdict
	// Chain is where Jump and Goto lead.
	Chain string
}

// Changes names what has to be compared with the kernel.
type Changes struct {
	Sets, Chains map[string]struct{}
	Isolated     [2]map[netip.Addr]struct{}
}

func newTable(ipv4 bool) *Table {
	return &Table{
		IPv4: ipv4, Sets: map[string]*Set{}, Chains: map[string][]Rule{},
		Isolated: [2]map[netip.Addr]string{{}, {}},
		Changes:  noChanges(),
	}
}

func noChanges() Changes {
	return Changes{
		Sets: map[string]struct{}{}, Chains: map[string]struct{}{},
		Isolated: [2]map[netip.Addr]struct{}{{}, {}},
	}
}

// Any is whether anything changed.
func (c Changes) Any() bool {
	return len(c.Sets)+len(c.Chains)+len(c.Isolated[Ingress])+len(c.Isolated[Egress]) > 0
}

// TakeChanges returns what changed since the last call.
func (t *Table) TakeChanges() Changes {
	changes := t.Changes
	t.Changes = noChanges()
	return changes
}

// Empty is whether no pod is isolated, so that no packet needs the table.
func (t *Table) Empty() bool {
	return len(t.Isolated[Ingress])+len(t.Isolated[Egress]) == 0
}
