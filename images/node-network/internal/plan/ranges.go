package plan

import (
	"net/netip"
	"slices"
)

// Range is a range of addresses of one family, both ends included.
type Range struct {
	First, Last netip.Addr
}

// Merge returns the fewest ranges that cover exactly the given prefixes, sorted. Nodes mostly
// have neighbouring addresses and podCIDRs, so few ranges say it all.
func Merge(prefixes []netip.Prefix) []Range {
	ranges := make([]Range, 0, len(prefixes))
	for _, prefix := range prefixes {
		ranges = append(ranges, Range{First: prefix.Masked().Addr(), Last: lastAddress(prefix)})
	}
	// netip sorts IPv4 before IPv6, so the families never mix below.
	slices.SortFunc(ranges, func(a, b Range) int { return a.First.Compare(b.First) })
	var merged []Range
	for _, next := range ranges {
		if len(merged) == 0 {
			merged = append(merged, next)
			continue
		}
		current := &merged[len(merged)-1]
		after := current.Last.Next() // invalid behind the family's last address
		touches := current.First.Is4() == next.First.Is4() && (!after.IsValid() || next.First.Compare(after) <= 0)
		if !touches {
			merged = append(merged, next)
			continue
		}
		if next.Last.Compare(current.Last) > 0 {
			current.Last = next.Last
		}
	}
	return merged
}

func lastAddress(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
