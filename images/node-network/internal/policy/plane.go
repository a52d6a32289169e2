package policy

import (
	"net/netip"
	"slices"
)

// plane keeps the table of one family. Chains and sets are in it for as long as a pod of this
// node needs them: what no local pod is selected by costs nothing here.
type plane struct {
	table   *Table
	cluster view
	sets    map[string]*heldSet
	chains  map[string]*heldChain
}

// view is what a plane needs to know of the cluster.
type view interface {
	// policyRules returns the content of a policy's chain.
	policyRules(chain string, ipv4 bool) ([]Rule, []*setSource)
	// eachPod visits all pods with their namespaces' labels.
	eachPod(visit func(pod *Pod, namespace map[string]string))
}

type heldSet struct {
	source *setSource
	users  int
}

type heldChain struct {
	users   int
	sources []*setSource
	// policies are the chains that a shared chain visits; nil for a policy's own chain.
	policies []string
}

func newPlane(ipv4 bool, cluster view) *plane {
	return &plane{table: newTable(ipv4), cluster: cluster, sets: map[string]*heldSet{}, chains: map[string]*heldChain{}}
}

// isolate gives a pod's address the policies named by their chains; none means not isolated.
func (p *plane) isolate(direction Direction, address netip.Addr, policies []string) {
	isolated := p.table.Isolated[direction]
	name := chainOfPod(direction, address)
	before := p.table.Chains[name]
	if len(policies) == 0 {
		if before == nil {
			return
		}
		delete(isolated, address)
		delete(p.table.Chains, name)
	} else {
		shared := chainOfPolicies(direction, policies)
		rules := podRules(direction, address, shared)
		if slices.Equal(before, rules) {
			return
		}
		p.holdShared(shared, policies)
		isolated[address] = name
		p.table.Chains[name] = rules
	}
	p.table.Changes.Chains[name] = struct{}{}
	p.table.Changes.Isolated[direction][address] = struct{}{}
	if before != nil {
		p.releaseShared(before[len(before)-1].Chain)
	}
}

func (p *plane) holdShared(name string, policies []string) {
	if held, present := p.chains[name]; present {
		held.users++
		return
	}
	for _, policy := range policies {
		p.holdPolicy(policy)
	}
	p.chains[name] = &heldChain{users: 1, policies: slices.Clone(policies)}
	p.setChain(name, rulesOfPolicies(policies))
}

func (p *plane) releaseShared(name string) {
	held := p.chains[name]
	if held.users--; held.users > 0 {
		return
	}
	p.dropChain(name)
	for _, policy := range held.policies {
		p.releasePolicy(policy)
	}
}

func (p *plane) holdPolicy(name string) {
	if held, present := p.chains[name]; present {
		held.users++
		return
	}
	rules, sources := p.cluster.policyRules(name, p.table.IPv4)
	for _, source := range sources {
		p.holdSet(source)
	}
	p.chains[name] = &heldChain{users: 1, sources: sources}
	p.setChain(name, rules)
}

func (p *plane) releasePolicy(name string) {
	held := p.chains[name]
	if held.users--; held.users > 0 {
		return
	}
	p.dropChain(name)
	for _, source := range held.sources {
		p.releaseSet(source.name)
	}
}

// refresh rewrites the chain of a policy that changed, if it is in use.
func (p *plane) refresh(name string) {
	held, present := p.chains[name]
	if !present {
		return
	}
	rules, sources := p.cluster.policyRules(name, p.table.IPv4)
	for _, source := range sources {
		p.holdSet(source)
	}
	before := held.sources
	held.sources = sources
	if !slices.Equal(p.table.Chains[name], rules) {
		p.setChain(name, rules)
	}
	for _, source := range before {
		p.releaseSet(source.name)
	}
}

func (p *plane) setChain(name string, rules []Rule) {
	p.table.Chains[name] = rules
	p.table.Changes.Chains[name] = struct{}{}
}

func (p *plane) dropChain(name string) {
	delete(p.chains, name)
	delete(p.table.Chains, name)
	p.table.Changes.Chains[name] = struct{}{}
}

func (p *plane) holdSet(source *setSource) {
	if held, present := p.sets[source.name]; present {
		held.users++
		return
	}
	set := &Set{Kind: source.kind, Comment: source.comment, Elements: map[Element]int{}}
	for _, r := range source.ranges {
		set.Elements[Element{First: r.First, Last: r.Last}] = 1
	}
	p.cluster.eachPod(func(pod *Pod, namespace map[string]string) {
		for _, element := range source.elements(pod, namespace, p.table.IPv4) {
			set.Elements[element]++
		}
	})
	p.sets[source.name] = &heldSet{source: source, users: 1}
	p.table.Sets[source.name] = set
	p.table.Changes.Sets[source.name] = struct{}{}
}

func (p *plane) releaseSet(name string) {
	held := p.sets[name]
	if held.users--; held.users > 0 {
		return
	}
	delete(p.sets, name)
	delete(p.table.Sets, name)
	p.table.Changes.Sets[name] = struct{}{}
}

// state is a pod with its namespace's labels, as it was or is; a nil pod is none.
type state struct {
	pod       *Pod
	namespace map[string]string
}

// move replaces what a pod contributes to the sets.
func (p *plane) move(before, after state, relevant func(*setSource) bool) {
	for name, held := range p.sets {
		if held.source.kind == Ranges || (relevant != nil && !relevant(held.source)) {
			continue
		}
		var old, fresh []Element
		if before.pod != nil {
			old = held.source.elements(before.pod, before.namespace, p.table.IPv4)
		}
		if after.pod != nil {
			fresh = held.source.elements(after.pod, after.namespace, p.table.IPv4)
		}
		if slices.Equal(old, fresh) {
			continue
		}
		elements := p.table.Sets[name].Elements
		for _, element := range fresh {
			elements[element]++
		}
		for _, element := range old {
			if elements[element]--; elements[element] == 0 {
				delete(elements, element)
			}
		}
		p.table.Changes.Sets[name] = struct{}{}
	}
}
