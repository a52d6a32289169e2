package nft

import (
	"maps"
	"slices"

	"github.com/google/nftables"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

// perMessage bounds the elements of one message, whose list is at most 64 KiB.
const perMessage = 500

// addRanges writes sets of ranges and nothing else, in a transaction of its own.
func (u *update) addRanges(want *policy.Table, changes policy.Changes) error {
	added := false
	for _, name := range sorted(changes.Sets) {
		set := want.Sets[name]
		if set == nil || set.Kind != policy.Ranges {
			continue
		}
		wanted := elementsOf(set)
		held, present := u.kernel.sets[name]
		if present && maps.Equal(held, wanted) {
			continue
		}
		if present { // another program changed it
			u.conn.FlushSet(u.family.set(u.table, name, set.Kind))
			u.pending++
		} else if err := u.createSet(name, set); err != nil {
			return err
		}
		if err := u.insert(name, set.Kind, slices.Collect(maps.Keys(wanted))); err != nil {
			return err
		}
		u.kernel.sets[name] = wanted
		added = true
	}
	if !added {
		return nil
	}
	return u.flush()
}

func (u *update) addElements(want *policy.Table, changes policy.Changes) error {
	for _, name := range sorted(changes.Sets) {
		set := want.Sets[name]
		if set == nil || set.Kind == policy.Ranges {
			continue
		}
		held, present := u.kernel.sets[name]
		if !present {
			held = map[policy.Element]struct{}{}
			u.kernel.sets[name] = held
			if err := u.createSet(name, set); err != nil {
				return err
			}
		}
		var missing []policy.Element
		for element := range set.Elements {
			if _, there := held[element]; !there {
				missing = append(missing, element)
				held[element] = struct{}{}
			}
		}
		if err := u.insert(name, set.Kind, missing); err != nil {
			return err
		}
	}
	return u.flushIfFull()
}

func (u *update) removeElements(want *policy.Table, changes policy.Changes) error {
	for _, name := range sorted(changes.Sets) {
		set := want.Sets[name]
		if set == nil || set.Kind == policy.Ranges {
			continue
		}
		held := u.kernel.sets[name]
		var stale []policy.Element
		for element := range held {
			if _, wanted := set.Elements[element]; !wanted {
				stale = append(stale, element)
				delete(held, element)
			}
		}
		for chunk := range slices.Chunk(stale, perMessage) {
			if err := u.conn.SetDeleteElements(u.family.set(u.table, name, set.Kind), elements(set.Kind, chunk)); err != nil {
				return err
			}
			u.pending++
		}
	}
	return nil
}

func (u *update) removeSets(want *policy.Table, changes policy.Changes) error {
	for _, name := range sorted(changes.Sets) {
		if _, present := u.kernel.sets[name]; present && want.Sets[name] == nil {
			u.conn.DelSet(&nftables.Set{Table: u.table, Name: name})
			delete(u.kernel.sets, name)
			u.pending++
		}
	}
	return nil
}

func (u *update) createSet(name string, set *policy.Set) error {
	const longestComment = 200
	created := u.family.set(u.table, name, set.Kind)
	created.Comment = set.Comment[:min(len(set.Comment), longestComment)]
	u.pending++
	return u.conn.AddSet(created, nil)
}

func (u *update) insert(name string, kind policy.SetKind, list []policy.Element) error {
	for chunk := range slices.Chunk(list, perMessage) {
		if err := u.conn.SetAddElements(u.family.set(u.table, name, kind), elements(kind, chunk)); err != nil {
			return err
		}
		u.pending++
	}
	return nil
}

func elementsOf(set *policy.Set) map[policy.Element]struct{} {
	elements := make(map[policy.Element]struct{}, len(set.Elements))
	for element := range set.Elements {
		elements[element] = struct{}{}
	}
	return elements
}
