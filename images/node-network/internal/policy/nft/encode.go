package nft

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

// family holds what differs between the two address families.
type family struct {
	name    string
	table   nftables.TableFamily
	address nftables.SetDatatype
	source  uint32 // offset of the source address in the network header, bytes
	length  uint32 // of an address, bytes
	// second is the register behind an address that is loaded into the first one.
	second uint32
	is4    bool
}

// Registers of 16 bytes are numbered from 1, those of 4 bytes, which lie in the same memory, from 8.
const first = 1

var families = [2]*family{
	{"ip", nftables.TableFamilyIPv4, nftables.TypeIPAddr, 12, 4, 9, true},
	{"ip6", nftables.TableFamilyIPv6, nftables.TypeIP6Addr, 8, 16, 2, false},
}

func (f *family) set(table *nftables.Table, name string, kind policy.SetKind) *nftables.Set {
	set := &nftables.Set{Table: table, Name: name, KeyType: f.address}
	switch kind {
	case policy.Ranges:
		set.Interval = true
	case policy.AddressPorts:
		set.Concatenation = true
		set.KeyType = nftables.MustConcatSetType(f.address, nftables.TypeInetService)
	}
	return set
}

func (f *family) verdictMap(table *nftables.Table, direction policy.Direction) *nftables.Set {
	return &nftables.Set{Table: table, Name: mapName(direction), KeyType: f.address, DataType: nftables.TypeVerdict, IsMap: true}
}

func mapName(direction policy.Direction) string { return "isolated-" + direction.String() }

// elements encodes elements of a set. A range is its first address and an end mark on the one
// behind its last, which the highest address of a family has not.
func elements(kind policy.SetKind, list []policy.Element) []nftables.SetElement {
	encoded := make([]nftables.SetElement, 0, len(list))
	for _, element := range list {
		key := element.First.AsSlice()
		if kind == policy.AddressPorts {
			key = binary.BigEndian.AppendUint16(key, element.Port)
			key = append(key, 0, 0) // fields are padded to 4 bytes
		}
		encoded = append(encoded, nftables.SetElement{Key: key})
		if after := element.Last.Next(); kind == policy.Ranges && after.IsValid() {
			encoded = append(encoded, nftables.SetElement{Key: after.AsSlice(), IntervalEnd: true})
		}
	}
	return encoded
}

// expressions translates a rule. The order is that of cost: what is cheap and says no is first.
func (f *family) expressions(rule policy.Rule) []expr.Any {
	var list []expr.Any
	if rule.From.IsValid() {
		list = append(list, f.load(f.source), equals(rule.From.AsSlice()))
	}
	if rule.To.IsValid() {
		list = append(list, f.load(f.source+f.length), equals(rule.To.AsSlice()))
	}
	if rule.Protocol != 0 {
		list = append(list, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: first}, equals([]byte{rule.Protocol}))
	}
	if rule.LastPort != 0 {
		list = append(list, destinationPort(first), &expr.Range{
			Op: expr.CmpOpEq, Register: first,
			FromData: binary.BigEndian.AppendUint16(nil, rule.FirstPort), ToData: binary.BigEndian.AppendUint16(nil, rule.LastPort),
		})
	}
	if rule.Source != "" {
		list = append(list, f.load(f.source), isIn(rule.Source))
	}
	if rule.Destination != "" {
		list = append(list, f.load(f.source+f.length), isIn(rule.Destination))
	}
	if rule.DestinationPort != "" {
		list = append(list, f.load(f.source+f.length), destinationPort(f.second), isIn(rule.DestinationPort))
	}
	switch rule.Verdict {
	case policy.Accept:
		list = append(list, &expr.Verdict{Kind: expr.VerdictAccept})
	case policy.Drop:
		list = append(list, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})
	case policy.Jump:
		list = append(list, &expr.Verdict{Kind: expr.VerdictJump, Chain: rule.Chain})
	case policy.Goto:
		list = append(list, &expr.Verdict{Kind: expr.VerdictGoto, Chain: rule.Chain})
	}
	return list
}

// baseRules are those of the base chain of a direction: what was let through once stays, and
// an isolated pod's packets enter its chain.
func (f *family) baseRules(direction policy.Direction) [][]expr.Any {
	address := f.source
	if direction == policy.Ingress {
		address += f.length
	}
	established := make([]byte, 4)
	binary.NativeEndian.PutUint32(established, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
	return [][]expr.Any{
		{
			&expr.Ct{Key: expr.CtKeySTATE, Register: first},
			&expr.Bitwise{SourceRegister: first, DestRegister: first, Len: 4, Mask: established, Xor: make([]byte, 4)},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: first, Data: make([]byte, 4)},
			&expr.Verdict{Kind: expr.VerdictAccept},
		},
		{f.load(address), &expr.Lookup{SourceRegister: first, SetName: mapName(direction), IsDestRegSet: true}},
	}
}

func (f *family) load(offset uint32) expr.Any {
	return &expr.Payload{DestRegister: first, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: f.length}
}

func destinationPort(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
}

func equals(value []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: first, Data: value}
}

func isIn(set string) expr.Any { return &expr.Lookup{SourceRegister: first, SetName: set} }

// mark is the comment of a rule, from which its content can be told without decoding it. The
// number in front changes with the way rules are encoded.
func mark(rule policy.Rule) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("1 %+v", rule)))
	return hex.EncodeToString(sum[:8])
}

func baseMark(direction policy.Direction, position int) string {
	return fmt.Sprintf("1 %s %d", direction, position)
}

// decode is the reverse of elements.
func decode(kind policy.SetKind, list []nftables.SetElement) map[policy.Element]struct{} {
	decoded := make(map[policy.Element]struct{}, len(list))
	if kind == policy.Ranges {
		return decodeRanges(list)
	}
	for _, entry := range list {
		key, port := entry.Key, uint16(0)
		if kind == policy.AddressPorts && len(key) > 4 {
			port = binary.BigEndian.Uint16(key[len(key)-4:])
			key = key[:len(key)-4]
		}
		if address, ok := netip.AddrFromSlice(key); ok {
			decoded[policy.Element{First: address, Port: port}] = struct{}{}
		}
	}
	return decoded
}

// kindOf tells the kind of a set from its name.
func kindOf(name string) policy.SetKind {
	switch {
	case strings.HasPrefix(name, "block-"):
		return policy.Ranges
	case strings.HasPrefix(name, "port-"):
		return policy.AddressPorts
	}
	return policy.Addresses
}
