package nft

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

// content is what a table of the kernel holds: elements of sets, marks of the rules of chains,
// and addresses of isolated pods.
type content struct {
	exists   bool
	sets     map[string]map[policy.Element]struct{}
	chains   map[string][]string
	maps     [2]bool
	isolated [2]map[netip.Addr]struct{}
}

func nothing() *content {
	return &content{
		sets: map[string]map[policy.Element]struct{}{}, chains: map[string][]string{},
		isolated: [2]map[netip.Addr]struct{}{{}, {}},
	}
}

// read returns what the kernel holds, whoever wrote it.
func (w *Writer) read(f *family) (*content, error) {
	c := nothing()
	conn, err := w.connect()
	if err != nil {
		return nil, err
	}
	tables, err := conn.ListTablesOfFamily(f.table)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	c.exists = slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == TableName })
	if !c.exists {
		return c, nil
	}
	if err := c.readSets(conn, &nftables.Table{Name: TableName, Family: f.table}); err != nil {
		return nil, err
	}
	chains, err := conn.ListChainsOfTableFamily(f.table)
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	for _, chain := range chains {
		if chain.Table.Name == TableName {
			c.chains[chain.Name] = nil
		}
	}
	return c, w.readRules(f, c)
}

func (c *content) readSets(conn *nftables.Conn, table *nftables.Table) error {
	sets, err := conn.GetSets(table)
	if err != nil {
		return fmt.Errorf("list sets: %w", err)
	}
	for _, set := range sets {
		list, err := conn.GetSetElements(set)
		if err != nil {
			return fmt.Errorf("list elements of %s: %w", set.Name, err)
		}
		found := decode(kindOf(set.Name), list)
		if direction := slices.IndexFunc(policy.Directions[:], func(d policy.Direction) bool { return mapName(d) == set.Name }); direction >= 0 {
			c.maps[direction] = true
			for element := range found {
				c.isolated[direction][element.First] = struct{}{}
			}
			continue
		}
		c.sets[set.Name] = found
	}
	return nil
}

// readRules reads the marks of all rules in one dump; the library would decode every rule, in
// a dump per chain.
func (w *Writer) readRules(f *family, c *content) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: w.namespaceFd()})
	if err != nil {
		return fmt.Errorf("open nfnetlink: %w", err)
	}
	defer conn.Close()
	table, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_RULE_TABLE, Data: []byte(TableName + "\x00")}})
	if err != nil {
		return err
	}
	messages, err := conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE),
			Flags: netlink.Request | netlink.Dump,
		},
		Data: append([]byte{byte(f.table), unix.NFNETLINK_V0, 0, 0}, table...),
	})
	if err != nil {
		return fmt.Errorf("list rules: %w", err)
	}
	for _, message := range messages {
		attributes, err := netlink.NewAttributeDecoder(message.Data[4:])
		if err != nil {
			return fmt.Errorf("decode a rule: %w", err)
		}
		chain, comment := "", ""
		for attributes.Next() {
			switch attributes.Type() {
			case unix.NFTA_RULE_CHAIN:
				chain = attributes.String()
			case unix.NFTA_RULE_USERDATA:
				comment, _ = userdata.GetString(attributes.Bytes(), userdata.TypeComment)
			}
		}
		if err := attributes.Err(); err != nil {
			return fmt.Errorf("decode a rule: %w", err)
		}
		c.chains[chain] = append(c.chains[chain], comment)
	}
	return nil
}

func decodeRanges(list []nftables.SetElement) map[policy.Element]struct{} {
	type bound struct {
		address netip.Addr
		end     bool
	}
	var bounds []bound
	for _, entry := range list {
		if address, ok := netip.AddrFromSlice(entry.Key); ok {
			bounds = append(bounds, bound{address, entry.IntervalEnd})
		}
	}
	slices.SortFunc(bounds, func(a, b bound) int { return a.address.Compare(b.address) })
	decoded := map[policy.Element]struct{}{}
	for i, start := range bounds {
		if start.end {
			continue
		}
		last := highest(start.address)
		if i+1 < len(bounds) {
			last = bounds[i+1].address.Prev()
		}
		decoded[policy.Element{First: start.address, Last: last}] = struct{}{}
	}
	return decoded
}

func highest(address netip.Addr) netip.Addr {
	bytes := address.AsSlice()
	for i := range bytes {
		bytes[i] = 0xff
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
