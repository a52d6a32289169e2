package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// TestChangesEndWhereAFreshStartDoes makes random changes to a cluster and compares the
// planner, after each, with one that is given the result at once, and with the oracle.
func TestChangesEndWhereAFreshStartDoes(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := fixture()
		o := newOracle(p)
		for step := range 60 {
			what := change(t, random, p, o)
			fresh := NewPlanner()
			for name, labels := range o.namespaces {
				fresh.SetNamespace(name, labels)
			}
			for _, policy := range o.policies {
				fresh.SetPolicy(policy)
			}
			for _, pod := range o.pods {
				fresh.SetPod(pod)
			}
			for i, table := range p.Tables() {
				want := fresh.Tables()[i]
				if !reflect.DeepEqual(table.Sets, want.Sets) || !reflect.DeepEqual(table.Chains, want.Chains) || !reflect.DeepEqual(table.Isolated, want.Isolated) {
					t.Fatalf("seed %d step %d (%s): the table differs from that of a fresh start:\n%v\n%v", seed, step, what, describeTable(table), describeTable(want))
				}
			}
			for range 40 {
				flow := randomFlow(t, random)
				if got, want := allows(p, flow), o.allows(flow); got != want {
					t.Fatalf("seed %d step %d (%s): %+v allowed %v, the oracle says %v", seed, step, what, flow, got, want)
				}
			}
		}
	}
}

func change(t *testing.T, random *rand.Rand, p *Planner, o *oracle) string {
	namespace := pick(random, "x", "y")
	pod := Key{namespace, pick(random, "a", "b", "c")}
	policy := Key{namespace, pick(random, "p", "q", "r")}
	switch random.IntN(10) {
	case 0:
		labels := map[string]string{"team": pick(random, "red", "blue"), "env": pick(random, "prod", "test")}
		o.namespaces[namespace] = labels
		p.SetNamespace(namespace, labels)
		return "labels of namespace " + namespace
	case 1:
		delete(o.pods, pod)
		p.DeletePod(pod)
		return "without pod " + pod.String()
	case 2, 3, 4:
		changed := Pod{Namespace: pod.Namespace, Name: pod.Name, Local: random.IntN(4) > 0}
		changed.Labels = map[string]string{"app": pick(random, "a", "b", "c"), "tier": pick(random, "front", "back")}
		changed.Ports = []NamedPort{{"web", TCP, uint16(8080 + random.IntN(3))}}
		if random.IntN(4) > 0 {
			changed.Addresses = []netip.Addr{netip.MustParseAddr(fixtureAddresses[pod.String()])}
		}
		o.pods[pod] = changed
		p.SetPod(changed)
		return fmt.Sprintf("pod %+v", changed)
	case 5:
		delete(o.policies, policy)
		p.DeletePolicy(policy)
		return "without policy " + policy.String()
	default:
		c := specification[random.IntN(len(specification))]
		if c.problems > 0 {
			return "nothing" // the oracle reads what is valid
		}
		text := pick(random, c.policies...)
		if text == "" {
			return "nothing"
		}
		_, spec, _ := strings.Cut(text, ": ")
		parsed := parsePolicy(t, policy.Namespace, policy.Name, spec)
		o.policies[policy] = parsed
		p.SetPolicy(parsed)
		return fmt.Sprintf("policy %s: %s", policy, spec)
	}
}

func randomFlow(t *testing.T, random *rand.Rand) Flow {
	names := []string{"x/a", "x/b", "x/c", "y/a", "y/b", "y/c", "outside"}
	return parseFlow(t, fmt.Sprintf("%s > %s %s %d", pick(random, names...), pick(random, names...),
		pick(random, "TCP", "UDP", "SCTP"), []int{53, 80, 8080, 8081, 8082, 1500}[random.IntN(6)]))
}

func pick(random *rand.Rand, values ...string) string {
	if len(values) == 0 {
		return ""
	}
	return values[random.IntN(len(values))]
}

func describeTable(table *Table) string {
	var b strings.Builder
	for name, set := range table.Sets {
		fmt.Fprintf(&b, "%s %v\n", name, set.Elements)
	}
	for name, rules := range table.Chains {
		fmt.Fprintf(&b, "%s %+v\n", name, rules)
	}
	return b.String()
}

func TestWhatNoLocalPodNeedsIsNotInTheTable(t *testing.T) {
	p := fixture()
	p.SetPolicy(parsePolicy(t, "z", "elsewhere", "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}"))
	if table := p.Tables()[0]; !table.Empty() || len(table.Chains)+len(table.Sets) != 0 || table.Changes.Any() {
		t.Errorf("a policy that selects no pod of this node costs %d chains and %d sets", len(table.Chains), len(table.Sets))
	}
	p.SetPolicy(parsePolicy(t, "x", "here", "{podSelector: {matchLabels: {app: a}}, ingress: [{from: [{namespaceSelector: {}}]}]}"))
	if table := p.Tables()[0]; table.Empty() || len(table.Sets) != 1 {
		t.Errorf("a policy that selects a pod of this node is missing: %s", describeTable(table))
	}
	p.DeletePolicy(Key{"x", "here"})
	if table := p.Tables()[0]; !table.Empty() || len(table.Chains)+len(table.Sets) != 0 {
		t.Errorf("a policy that is gone left %s", describeTable(table))
	}
}

func TestOneChangeTouchesOnlyWhatItIsAbout(t *testing.T) {
	p := fixture()
	p.SetPolicy(parsePolicy(t, "x", "a", "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}"))
	p.SetPolicy(parsePolicy(t, "x", "b", "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]}"))
	table := p.Tables()[0]
	table.TakeChanges()
	p.SetNamespace("y", map[string]string{"team": "green"})
	changes := table.TakeChanges()
	if len(changes.Sets) != 1 || len(changes.Chains) != 0 || len(changes.Isolated[Ingress]) != 0 {
		t.Errorf("a namespace's label changed %+v, want one set", changes)
	}
	p.SetNamespace("y", map[string]string{"team": "green"})
	if changes := table.TakeChanges(); changes.Any() {
		t.Errorf("the same labels again changed %+v", changes)
	}
}

func TestAnAddressBelongsToThePodThatHasItNow(t *testing.T) {
	p := NewPlanner()
	p.SetNamespace("x", nil)
	p.SetPolicy(parsePolicy(t, "x", "p", "{podSelector: {matchLabels: {app: old}}}"))
	address := netip.MustParseAddr("10.0.0.9")
	old := Pod{Namespace: "x", Name: "old", Labels: map[string]string{"app": "old"}, Addresses: []netip.Addr{address}, Local: true}
	p.SetPod(old)
	isolated := func() bool { return len(p.Tables()[0].Isolated[Ingress]) == 1 }
	if !isolated() {
		t.Fatal("the old pod is not isolated")
	}
	p.SetPod(Pod{Namespace: "x", Name: "new", Labels: map[string]string{"app": "new"}, Addresses: []netip.Addr{address}, Local: true})
	if isolated() {
		t.Error("the new pod obeys the policies of the old one")
	}
	p.DeletePod(Key{"x", "new"})
	if !isolated() {
		t.Error("the old pod lost its policies with the new one's end")
	}
	p.DeletePod(Key{"x", "old"})
	if isolated() {
		t.Error("an address without a pod is isolated")
	}
}
