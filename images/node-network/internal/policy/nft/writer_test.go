package nft

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/nftables"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

var specs = []string{
	`{podSelector: {}, policyTypes: [Ingress, Egress]}`,
	`{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}, {namespaceSelector: {}}], ports: [{port: 80}, {port: web}, {protocol: UDP, port: 1000, endPort: 2000}, {protocol: SCTP}]}]}`,
	`{podSelector: {matchLabels: {app: a}}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.168.0.0/16]}}, {ipBlock: {cidr: '::/0', except: ['fd00::/8']}}]}]}`,
	`{podSelector: {matchLabels: {app: b}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}, {ipBlock: {cidr: 255.255.255.255/32}}]}], egress: [{ports: [{port: web}]}]}`,
	`{podSelector: {matchLabels: {app: b}}, ingress: [{}], egress: [{}]}`,
}

func setPolicy(t *testing.T, p *policy.Planner, name, spec string) {
	t.Helper()
	object := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &object.Spec); err != nil {
		t.Fatal(err)
	}
	if problems := p.SetPolicy(object); len(problems) > 0 {
		t.Fatal(problems)
	}
}

func setPod(p *policy.Planner, number int, app string) {
	p.SetPod(policy.Pod{
		Namespace: "x", Name: fmt.Sprint("pod-", number), Labels: map[string]string{"app": app}, Local: true,
		Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(number >> 8), byte(number)}), netip.MustParseAddr(fmt.Sprintf("fd00::%x", number+1))},
		Ports:     []policy.NamedPort{{Name: "web", Protocol: policy.TCP, Number: uint16(8000 + number%7)}},
	})
}

func newPlanner() *policy.Planner {
	p := policy.NewPlanner()
	p.SetNamespace("x", map[string]string{"team": "red"})
	return p
}

func sync(t *testing.T, w *Writer, p *policy.Planner, check bool) (transactions int) {
	t.Helper()
	for _, table := range p.Tables() {
		count, err := w.Sync(table, check)
		if err != nil {
			t.Fatal(err)
		}
		transactions += count
	}
	return transactions
}

// TestTheKernelHoldsWhatWasWritten makes random changes, writes each as a difference, and has
// another writer, which knows nothing, find nothing to do.
func TestTheKernelHoldsWhatWasWritten(t *testing.T) {
	node := netnstest.New(t, "node")
	random := rand.New(rand.NewPCG(7, 7))
	p, w := newPlanner(), NewWriter(node.Handle)
	for step := range 80 {
		switch random.IntN(4) {
		case 0:
			p.DeletePolicy(policy.Key{Namespace: "x", Name: fmt.Sprint("policy-", random.IntN(4))})
		case 1:
			p.DeletePod(policy.Key{Namespace: "x", Name: fmt.Sprint("pod-", random.IntN(8))})
		case 2:
			setPod(p, random.IntN(8), []string{"a", "b", "c"}[random.IntN(3)])
		case 3:
			setPolicy(t, p, fmt.Sprint("policy-", random.IntN(4)), specs[random.IntN(len(specs))])
		}
		sync(t, w, p, false)
		if transactions := sync(t, NewWriter(node.Handle), p, true); transactions > 0 {
			t.Fatalf("step %d: the kernel differed from the plan", step)
		}
		for i, f := range families {
			held, err := w.read(f)
			if err != nil {
				t.Fatal(err)
			}
			table := p.Tables()[i]
			if !held.exists && table.Empty() {
				continue
			}
			if len(held.chains) != len(table.Chains)+2 || len(held.sets) != len(table.Sets) || len(held.isolated[policy.Egress]) != len(table.Isolated[policy.Egress]) {
				t.Fatalf("step %d: %s holds %d chains and %d sets, want %d and %d", step, f.name, len(held.chains), len(held.sets), len(table.Chains)+2, len(table.Sets))
			}
			for name, set := range table.Sets {
				if !maps.Equal(held.sets[name], elementsOf(set)) {
					t.Fatalf("step %d: set %s holds %v, want %v", step, name, held.sets[name], set.Elements)
				}
			}
		}
	}
}

func TestWithoutIsolatedPodsThereIsNoTable(t *testing.T) {
	node := netnstest.New(t, "node")
	p, w := newPlanner(), NewWriter(node.Handle)
	setPod(p, 1, "a")
	setPolicy(t, p, "elsewhere", `{podSelector: {matchLabels: {app: z}}}`)
	if transactions := sync(t, w, p, true); transactions != 0 {
		t.Errorf("%d transactions for nothing", transactions)
	}
	setPolicy(t, p, "here", specs[0])
	sync(t, w, p, false)
	p.DeletePolicy(policy.Key{Namespace: "x", Name: "here"})
	sync(t, w, p, false)
	held, err := w.read(families[0])
	if err != nil {
		t.Fatal(err)
	}
	for chain, rules := range held.chains {
		if len(rules) > 0 {
			t.Errorf("chain %s has rules after the last policy: %v", chain, rules)
		}
	}
	if len(held.chains) != 2 {
		t.Errorf("chains %v, want the two base chains", held.chains)
	}
}

// TestWhatAnotherProgramChangedIsRepaired breaks the table in several ways.
func TestWhatAnotherProgramChangedIsRepaired(t *testing.T) {
	node := netnstest.New(t, "node")
	p, w := newPlanner(), NewWriter(node.Handle)
	for i := range 3 {
		setPod(p, i, []string{"a", "b", "c"}[i])
	}
	for i, spec := range specs {
		setPolicy(t, p, fmt.Sprint("policy-", i), spec)
	}
	sync(t, w, p, true)
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyIPv4}
	for what, damage := range map[string]func(conn *nftables.Conn){
		"the whole ruleset removed": func(conn *nftables.Conn) { conn.FlushRuleset() },
		"a chain emptied": func(conn *nftables.Conn) {
			conn.FlushChain(&nftables.Chain{Name: baseName(policy.Ingress), Table: table})
		},
		"a foreign rule": func(conn *nftables.Conn) {
			chain := &nftables.Chain{Name: baseName(policy.Ingress), Table: table}
			conn.InsertRule(&nftables.Rule{Table: table, Chain: chain, Exprs: families[0].expressions(policy.Rule{Verdict: policy.Accept})})
		},
		"all sets emptied": func(conn *nftables.Conn) {
			sets, err := conn.GetSets(table)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range sets {
				conn.FlushSet(set)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			conn, err := w.connect()
			if err != nil {
				t.Fatal(err)
			}
			damage(conn)
			if err := conn.Flush(); err != nil {
				t.Fatal(err)
			}
			if transactions := sync(t, w, p, true); transactions == 0 {
				t.Error("nothing was repaired")
			}
			if transactions := sync(t, NewWriter(node.Handle), p, true); transactions != 0 {
				t.Error("the repair left a difference")
			}
		})
	}
}
