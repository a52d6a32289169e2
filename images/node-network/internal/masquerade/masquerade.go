// Package masquerade gives pod traffic that leaves the cluster the address of its node, by an
// nftables table of its own, written over netlink (no `nft` program is needed).
package masquerade

import (
	"fmt"
	"net/netip"
	"reflect"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netns"

	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

// TableName is the name of the table, in the families ip and ip6.
const TableName = "node-network"

// Rules say whose traffic is masqueraded, and where to it is not.
type Rules struct {
	// Pods are the sources: the podCIDRs of this node.
	Pods []netip.Prefix
	// Cluster are the destinations that see pods under their own address.
	Cluster []plan.Range
}

// Table keeps the nftables tables of one network namespace. It is not safe for concurrent use.
type Table struct {
	options []nftables.ConnOption
	applied *Rules
}

// NewTable returns the table of the namespace given, or of the current one for netns.None().
// It reads and writes nothing yet.
func NewTable(namespace netns.NsHandle) *Table {
	if !namespace.IsOpen() {
		return &Table{}
	}
	return &Table{options: []nftables.ConnOption{nftables.WithNetNSFd(int(namespace))}}
}

// Sync writes the rules when they differ from those written before, or always with force, and
// returns whether it did. Each family's table is replaced in one transaction: a packet sees
// either the old rules or the new. Established flows keep their translation.
func (t *Table) Sync(rules Rules, force bool) (bool, error) {
	if !force && t.applied != nil && reflect.DeepEqual(*t.applied, rules) {
		return false, nil
	}
	for _, family := range []family{ipv4, ipv6} {
		if err := t.replace(family, rules); err != nil {
			t.applied = nil
			return false, fmt.Errorf("write nftables table %s %s: %w", family.name, TableName, err)
		}
	}
	t.applied = &rules
	return true, nil
}

// family holds what differs between the two address families.
type family struct {
	name                  string
	table                 nftables.TableFamily
	keyType               nftables.SetDatatype
	sourceOffset, destOff uint32 // in the network header
	length                uint32 // of an address, bytes
	is4                   bool
}

var (
	ipv4 = family{"ip", nftables.TableFamilyIPv4, nftables.TypeIPAddr, 12, 16, 4, true}
	ipv6 = family{"ip6", nftables.TableFamilyIPv6, nftables.TypeIP6Addr, 8, 24, 16, false}
)

func (t *Table) replace(f family, rules Rules) error {
	pods := ofFamily(plan.Merge(rules.Pods), f)
	if len(pods) == 0 {
		return t.remove(f)
	}
	conn, err := nftables.New(t.options...)
	if err != nil {
		return err
	}
	table := &nftables.Table{Name: TableName, Family: f.table}
	// Adding first makes the deletion succeed where there is no table yet.
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	sources := &nftables.Set{Table: table, Name: "pods", KeyType: f.keyType, Interval: true}
	if err := conn.AddSet(sources, elements(pods)); err != nil {
		return err
	}
	cluster := &nftables.Set{Table: table, Name: "cluster", KeyType: f.keyType, Interval: true}
	if err := conn.AddSet(cluster, elements(ofFamily(rules.Cluster, f))); err != nil {
		return err
	}
	accept := nftables.ChainPolicyAccept
	chain := conn.AddChain(&nftables.Chain{
		Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT, Policy: &accept,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	// ip saddr @pods ip daddr != @cluster masquerade fully-random
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.sourceOffset, Len: f.length},
		&expr.Lookup{SourceRegister: 1, SetName: sources.Name, SetID: sources.ID},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.destOff, Len: f.length},
		&expr.Lookup{SourceRegister: 1, SetName: cluster.Name, SetID: cluster.ID, Invert: true},
		&expr.Masq{FullyRandom: true},
	}})
	return conn.Flush()
}

// remove deletes the table of a family that has no pods on this node, if it is there.
func (t *Table) remove(f family) error {
	conn, err := nftables.New(t.options...)
	if err != nil {
		return err
	}
	tables, err := conn.ListTablesOfFamily(f.table)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if table.Name == TableName {
			conn.DelTable(table)
			return conn.Flush()
		}
	}
	return nil
}

func ofFamily(ranges []plan.Range, f family) []plan.Range {
	var out []plan.Range
	for _, r := range ranges {
		if r.First.Is4() == f.is4 {
			out = append(out, r)
		}
	}
	return out
}

// elements writes ranges the way the kernel's interval sets want them: a start, and an end
// that is no longer part of the range. A range up to the last address has no end.
func elements(ranges []plan.Range) []nftables.SetElement {
	var out []nftables.SetElement
	for _, r := range ranges {
		out = append(out, nftables.SetElement{Key: r.First.AsSlice()})
		if end := r.Last.Next(); end.IsValid() {
			out = append(out, nftables.SetElement{Key: end.AsSlice(), IntervalEnd: true})
		}
	}
	return out
}
