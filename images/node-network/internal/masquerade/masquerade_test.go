package masquerade

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/nftables"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

const (
	// patience is for an answer that has to come, quick for one that must not.
	patience = 5 * time.Second
	quick    = 400 * time.Millisecond
)

func rules(pods []string, cluster ...string) Rules {
	return Rules{Pods: prefixes(pods...), Cluster: plan.Merge(prefixes(cluster...))}
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// cluster is two nodes with a pod each and routes between them, set by hand.
func cluster(t *testing.T) (lan *netnstest.LAN, a, b, podA, podB *netnstest.Namespace) {
	t.Helper()
	lan = netnstest.NewLAN(t)
	a, b = lan.AddNode("a", "172.30.0.11"), lan.AddNode("b", "172.30.0.12")
	a.AddRoute("10.244.2.0/24", "172.30.0.12", "eth0")
	b.AddRoute("10.244.1.0/24", "172.30.0.11", "eth0")
	podA, podB = netnstest.AddPod(t, a, "10.244.1.5"), netnstest.AddPod(t, b, "10.244.2.5")
	netnstest.Echo(t, lan.Router, netnstest.OutsideAddress)
	netnstest.Echo(t, b, "172.30.0.12")
	netnstest.Echo(t, podB, "10.244.2.5")
	return lan, a, b, podA, podB
}

func TestPodTrafficIsMasqueradedOnlyOutOfTheCluster(t *testing.T) {
	_, a, _, podA, _ := cluster(t)
	if _, err := netnstest.Ask(podA, netnstest.OutsideAddress, quick); err == nil {
		t.Fatal("the outside answers a pod's own address: this test proves nothing")
	}
	table := NewTable(a.Handle)
	if _, err := table.Sync(rules([]string{"10.244.1.0/24"}, "10.244.0.0/16", "172.30.0.11/32", "172.30.0.12/32"), false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, from, to, seen string }{
		{"pod to the outside", "pod", netnstest.OutsideAddress, "172.30.0.11"},
		{"pod to a pod of another node", "pod", "10.244.2.5", "10.244.1.5"},
		{"pod to another node", "pod", "172.30.0.12", "10.244.1.5"},
		{"node to the outside", "node", netnstest.OutsideAddress, "172.30.0.11"},
		{"node to a pod of another node", "node", "10.244.2.5", "172.30.0.11"},
	} {
		from := podA
		if c.from == "node" {
			from = a
		}
		if seen, err := netnstest.Ask(from, c.to, patience); err != nil || seen != c.seen {
			t.Errorf("%s: seen as %q, error %v, want %s", c.what, seen, err, c.seen)
		}
	}
}

func TestRulesFollowTheClusterWithoutLosingAPacket(t *testing.T) {
	_, a, _, podA, _ := cluster(t)
	table := NewTable(a.Handle)
	one := rules([]string{"10.244.1.0/24"}, "10.244.1.0/24", "172.30.0.11/32")
	two := rules([]string{"10.244.1.0/24"}, "10.244.0.0/16", "172.30.0.11/32", "172.30.0.12/32")
	sync := func(r Rules, force, wantWritten bool) {
		t.Helper()
		if written, err := table.Sync(r, force); err != nil || written != wantWritten {
			t.Fatalf("written %v, error %v, want %v", written, err, wantWritten)
		}
	}
	seenAtNode := func() string {
		t.Helper()
		seen, err := netnstest.Ask(podA, "172.30.0.12", patience)
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	sync(one, false, true)
	if seen := seenAtNode(); seen != "172.30.0.11" {
		t.Errorf("a node unknown so far sees %s, want the masqueraded address", seen)
	}
	sync(two, false, true)
	if seen := seenAtNode(); seen != "10.244.1.5" {
		t.Errorf("a node of the cluster sees %s, want the pod's own address", seen)
	}
	sync(two, false, false)

	stream := netnstest.StartStream(podA, netnstest.OutsideAddress, "172.30.0.11")
	for range 300 {
		sync(two, true, true)
	}
	stream.Stop()
	if len(stream.Failures) > 0 || stream.Sent < 5 {
		t.Errorf("%d of %d requests failed while the table was replaced 300 times, first %q", len(stream.Failures), stream.Sent, stream.Failures[:min(1, len(stream.Failures))])
	}
}

func TestForceRepairsATableThatWasRemoved(t *testing.T) {
	_, a, _, podA, _ := cluster(t)
	table := NewTable(a.Handle)
	r := rules([]string{"10.244.1.0/24"}, "10.244.0.0/16")
	if _, err := table.Sync(r, false); err != nil {
		t.Fatal(err)
	}
	conn, err := nftables.New(nftables.WithNetNSFd(int(a.Handle)))
	if err != nil {
		t.Fatal(err)
	}
	conn.FlushRuleset()
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := netnstest.Ask(podA, netnstest.OutsideAddress, quick); err == nil {
		t.Fatal("masqueraded without a table")
	}
	if _, err := table.Sync(r, true); err != nil {
		t.Fatal(err)
	}
	if seen, err := netnstest.Ask(podA, netnstest.OutsideAddress, patience); err != nil || seen != "172.30.0.11" {
		t.Errorf("seen as %q, error %v", seen, err)
	}
}

func TestTablesExistOnlyForTheFamiliesOfThePods(t *testing.T) {
	node := netnstest.New(t, "node")
	foreign, err := nftables.New(nftables.WithNetNSFd(int(node.Handle)))
	if err != nil {
		t.Fatal(err)
	}
	foreign.AddTable(&nftables.Table{Name: "foreign", Family: nftables.TableFamilyIPv6})
	if err := foreign.Flush(); err != nil {
		t.Fatal(err)
	}
	table := NewTable(node.Handle)
	for _, step := range []struct {
		pods       []string
		ipv4, ipv6 bool
	}{
		{[]string{"10.244.1.0/24", "fd00:10:244:1::/64"}, true, true},
		{[]string{"10.244.1.0/24"}, true, false},
		{[]string{"fd00:10:244:1::/64"}, false, true},
	} {
		if _, err := table.Sync(rules(step.pods, step.pods...), false); err != nil {
			t.Fatalf("%v: %v", step.pods, err)
		}
		if has(t, foreign, nftables.TableFamilyIPv4, TableName) != step.ipv4 || has(t, foreign, nftables.TableFamilyIPv6, TableName) != step.ipv6 {
			t.Errorf("pods %v: the tables do not match", step.pods)
		}
	}
	if !has(t, foreign, nftables.TableFamilyIPv6, "foreign") {
		t.Error("a foreign table was removed")
	}
}

func has(t *testing.T, conn *nftables.Conn, family nftables.TableFamily, name string) bool {
	t.Helper()
	tables, err := conn.ListTablesOfFamily(family)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if table.Name == name {
			return true
		}
	}
	return false
}
