package nft

import (
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

// update is one Sync under way.
type update struct {
	family       *family
	conn         *nftables.Conn
	table        *nftables.Table
	kernel       *content
	pending      int
	transactions int
}

// most is how many messages a transaction has before it is sent; only a first start comes near.
const most = 4000

// run makes the changes in an order in which each transaction leaves the kernel with rules that
// hold for every pod: sets grow before rules ask them and shrink after, chains are filled before
// packets are sent to them. What a packet meets half-way is the state before or the state after:
// the kernel reads once per packet and base chain which generation of the rules is current. Two
// things it would meet empty: a set of ranges of the same transaction, which therefore goes first,
// and an element that is deleted and added again, which therefore never happens.
func (u *update) run(want *policy.Table, changes policy.Changes) error {
	if err := u.prepare(); err != nil {
		return err
	}
	steps := []func(*policy.Table, policy.Changes) error{
		u.addRanges, u.addElements, u.addChains, u.setRules, u.setIsolated, u.setBase, u.removeElements, u.removeChains, u.removeSets,
	}
	for _, step := range steps {
		if err := step(want, changes); err != nil {
			return err
		}
	}
	return u.flush()
}

// prepare adds the table, its maps, and base chains without rules.
func (u *update) prepare() error {
	if !u.kernel.exists {
		u.conn.AddTable(u.table)
		u.kernel.exists = true
		u.pending++
	}
	for _, direction := range policy.Directions {
		if !u.kernel.maps[direction] {
			if err := u.conn.AddSet(u.family.verdictMap(u.table, direction), nil); err != nil {
				return err
			}
			u.kernel.maps[direction] = true
			u.pending++
		}
		if _, present := u.kernel.chains[baseName(direction)]; present {
			continue
		}
		// Egress comes first; what it accepts still has to pass ingress, a base chain of its own.
		priority := *nftables.ChainPriorityFilter
		if direction == policy.Ingress {
			priority++
		}
		accept := nftables.ChainPolicyAccept
		u.conn.AddChain(&nftables.Chain{
			Name: baseName(direction), Table: u.table, Type: nftables.ChainTypeFilter, Policy: &accept,
			Hooknum: nftables.ChainHookForward, Priority: &priority,
		})
		u.kernel.chains[baseName(direction)] = nil
		u.pending++
	}
	return nil
}

func (u *update) addChains(want *policy.Table, changes policy.Changes) error {
	for _, name := range sorted(changes.Chains) {
		_, wanted := want.Chains[name]
		if _, present := u.kernel.chains[name]; present || !wanted {
			continue
		}
		u.conn.AddChain(&nftables.Chain{Name: name, Table: u.table})
		u.kernel.chains[name] = nil
		u.pending++
	}
	return u.flushIfFull()
}

func (u *update) setRules(want *policy.Table, changes policy.Changes) error {
	// Chains of policies sort before those that jump to them where transactions are split.
	for _, name := range slices.Backward(sorted(changes.Chains)) {
		rules, wanted := want.Chains[name]
		if !wanted {
			continue
		}
		marks, bodies := make([]string, 0, len(rules)), make([][]expr.Any, 0, len(rules))
		for _, rule := range rules {
			marks, bodies = append(marks, mark(rule)), append(bodies, u.family.expressions(rule))
		}
		if err := u.setChain(name, marks, bodies); err != nil {
			return err
		}
	}
	return nil
}

func (u *update) setChain(name string, marks []string, bodies [][]expr.Any) error {
	held := u.kernel.chains[name]
	if slices.Equal(held, marks) {
		return nil
	}
	chain := &nftables.Chain{Name: name, Table: u.table}
	if len(held) > 0 {
		u.conn.FlushChain(chain)
		u.pending++
	}
	for i, body := range bodies {
		u.conn.AddRule(&nftables.Rule{Table: u.table, Chain: chain, Exprs: body, UserData: userdata.AppendString(nil, userdata.TypeComment, marks[i])})
		u.pending++
	}
	u.kernel.chains[name] = marks
	return u.flushIfFull()
}

func (u *update) setIsolated(want *policy.Table, changes policy.Changes) error {
	for _, direction := range policy.Directions {
		var added, removed []nftables.SetElement
		held := u.kernel.isolated[direction]
		for address := range changes.Isolated[direction] {
			chain, wanted := want.Isolated[direction][address]
			_, present := held[address]
			switch {
			case wanted && !present:
				added = append(added, nftables.SetElement{Key: address.AsSlice(), VerdictData: &expr.Verdict{Kind: expr.VerdictJump, Chain: chain}})
				held[address] = struct{}{}
			case !wanted && present:
				removed = append(removed, nftables.SetElement{Key: address.AsSlice()})
				delete(held, address)
			}
		}
		verdicts := u.family.verdictMap(u.table, direction)
		for chunk := range slices.Chunk(added, perMessage) {
			if err := u.conn.SetAddElements(verdicts, chunk); err != nil {
				return err
			}
			u.pending++
		}
		for chunk := range slices.Chunk(removed, perMessage) {
			if err := u.conn.SetDeleteElements(verdicts, chunk); err != nil {
				return err
			}
			u.pending++
		}
	}
	return nil
}

// setBase fills the base chains when the first pod is isolated and empties them after the last,
// so that on a node without policies packets meet two empty chains at most.
func (u *update) setBase(want *policy.Table, _ policy.Changes) error {
	for _, direction := range policy.Directions {
		var marks []string
		var bodies [][]expr.Any
		if len(want.Isolated[direction]) > 0 {
			bodies = u.family.baseRules(direction)
			for i := range bodies {
				marks = append(marks, baseMark(direction, i))
			}
		}
		if err := u.setChain(baseName(direction), marks, bodies); err != nil {
			return err
		}
	}
	return nil
}

// removeChains empties the chains first, as some of them lead to others.
func (u *update) removeChains(want *policy.Table, changes policy.Changes) error {
	var gone []*nftables.Chain
	for _, name := range sorted(changes.Chains) {
		_, wanted := want.Chains[name]
		if _, present := u.kernel.chains[name]; wanted || !present {
			continue
		}
		gone = append(gone, &nftables.Chain{Name: name, Table: u.table})
		delete(u.kernel.chains, name)
	}
	for _, chain := range gone {
		u.conn.FlushChain(chain)
	}
	for _, chain := range gone {
		u.conn.DelChain(chain)
	}
	u.pending += 2 * len(gone)
	return nil
}

func (u *update) flushIfFull() error {
	if u.pending < most {
		return nil
	}
	return u.flush()
}

func (u *update) flush() error {
	if u.pending == 0 {
		return nil
	}
	u.pending = 0
	u.transactions++
	return u.conn.Flush()
}

func sorted(names map[string]struct{}) []string { return slices.Sorted(maps.Keys(names)) }
