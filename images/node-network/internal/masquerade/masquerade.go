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
// returns whether it did. Established flows keep their translation.
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
	name   string
	table  nftables.TableFamily
	source uint32 // offset of the source address in the network header, bytes
	length uint32 // of an address, bytes
	is4    bool
}

var (
	ipv4 = family{"ip", nftables.TableFamilyIPv4, 12, 4, true}
	ipv6 = family{"ip6", nftables.TableFamilyIPv6, 8, 16, false}
)

// replace writes, for one family:
//
//	chain postrouting {
//	  type nat hook postrouting priority srcnat
//	  ip saddr <pods> goto leaving        # for each range of pods
//	}
//	chain leaving {
//	  ip daddr <cluster> return           # for each range of the cluster
//	  masquerade fully-random
//	}
//
// The base chain stays and only its rules are replaced, and ranges are rules instead of set
// elements: the kernel reads which generation of the rules is current once per packet and base
// chain, but anew for a second chain and for each set. Replacing the whole table let a packet
// in some hundreds pass between the old chain and the new one. The rules run only for the
// first packet of a flow.
func (t *Table) replace(f family, rules Rules) error {
	pods := ofFamily(plan.Merge(rules.Pods), f)
	if len(pods) == 0 {
		return t.remove(f)
	}
	conn, err := nftables.New(t.options...)
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Name: TableName, Family: f.table})
	accept := nftables.ChainPolicyAccept
	postrouting := conn.AddChain(&nftables.Chain{
		Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT, Policy: &accept,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	leaving := conn.AddChain(&nftables.Chain{Name: "leaving", Table: table})
	conn.FlushChain(postrouting)
	conn.FlushChain(leaving)

	for _, source := range pods {
		conn.AddRule(&nftables.Rule{Table: table, Chain: postrouting,
			Exprs: append(within(f.source, f.length, source), &expr.Verdict{Kind: expr.VerdictGoto, Chain: leaving.Name})})
	}
	for _, destination := range ofFamily(rules.Cluster, f) {
		conn.AddRule(&nftables.Rule{Table: table, Chain: leaving,
			Exprs: append(within(f.source+f.length, f.length, destination), &expr.Verdict{Kind: expr.VerdictReturn})})
	}
	conn.AddRule(&nftables.Rule{Table: table, Chain: leaving, Exprs: []expr.Any{&expr.Masq{FullyRandom: true}}})
	return conn.Flush()
}

// within matches an address of the network header that lies in a range.
func within(offset, length uint32, r plan.Range) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
		&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: r.First.AsSlice(), ToData: r.Last.AsSlice()},
	}
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
