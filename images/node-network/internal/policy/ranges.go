package policy

import (
	"net/netip"
	"slices"

	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

// without returns the addresses of ranges that are in none of except. Both are sorted and
// disjoint, and so is the result.
func without(ranges, except []plan.Range) []plan.Range {
	var left []plan.Range
	for _, current := range ranges {
		gone := false
		for _, hole := range except {
			if hole.Last.Compare(current.First) < 0 || hole.First.Compare(current.Last) > 0 || hole.First.Is4() != current.First.Is4() {
				continue
			}
			if hole.First.Compare(current.First) > 0 {
				left = append(left, plan.Range{First: current.First, Last: hole.First.Prev()})
			}
			next := hole.Last.Next()
			if !next.IsValid() || next.Compare(current.Last) > 0 {
				gone = true
				break
			}
			current.First = next
		}
		if !gone {
			left = append(left, current)
		}
	}
	return left
}

// mergeRanges returns disjoint ranges, sorted, that cover the same addresses.
func mergeRanges(ranges []plan.Range) []plan.Range {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b plan.Range) int { return a.First.Compare(b.First) })
	var merged []plan.Range
	for _, next := range sorted {
		if len(merged) > 0 && touches(merged[len(merged)-1].Last, next.First) {
			last := &merged[len(merged)-1].Last
			if next.Last.Compare(*last) > 0 {
				*last = next.Last
			}
			continue
		}
		merged = append(merged, next)
	}
	return merged
}

// touches is whether a range that starts at first overlaps or follows one that ends at last
// and starts before it.
func touches(last, first netip.Addr) bool {
	if last.Is4() != first.Is4() {
		return false
	}
	after := last.Next()
	return !after.IsValid() || first.Compare(after) <= 0
}

func ofFamily(ranges []plan.Range, ipv4 bool) []plan.Range {
	return slices.DeleteFunc(slices.Clone(ranges), func(r plan.Range) bool { return r.First.Is4() != ipv4 })
}
