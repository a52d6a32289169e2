package plan

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func node(name, cidr string, addresses ...string) Node {
	n := Node{Name: name}
	if cidr != "" {
		for _, text := range strings.Split(cidr, ",") {
			n.PodCIDRs = append(n.PodCIDRs, netip.MustParsePrefix(text))
		}
	}
	for _, text := range addresses {
		n.InternalIPs = append(n.InternalIPs, netip.MustParseAddr(text))
	}
	return n
}

func TestFor(t *testing.T) {
	self := node("a", "10.244.0.0/24", "172.18.0.2")
	subnet := []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}
	cases := []struct {
		name     string
		input    Input
		routes   []string
		problems []string // a part of each
	}{
		{
			name:   "other nodes by their address, the rest of the pod network unreachable",
			input:  Input{Self: "a", PodSubnets: subnet, Nodes: []Node{node("b", "10.244.1.0/24", "172.18.0.3"), self, node("c", "10.244.2.0/24", "172.18.0.4")}},
			routes: []string{"unreachable 10.244.0.0/16", "unreachable 10.244.0.0/24", "10.244.1.0/24 via 172.18.0.3", "10.244.2.0/24 via 172.18.0.4"},
		},
		{
			name:   "the pod network is not known",
			input:  Input{Self: "a", Nodes: []Node{self, node("b", "10.244.1.0/24", "172.18.0.3")}},
			routes: []string{"unreachable 10.244.0.0/24", "10.244.1.0/24 via 172.18.0.3"},
		},
		{
			name:   "one node that has the whole pod network",
			input:  Input{Self: "a", PodSubnets: subnet, Nodes: []Node{node("a", "10.244.0.0/16", "172.18.0.2")}},
			routes: []string{"unreachable 10.244.0.0/16"},
		},
		{
			name:   "a node that has no podCIDR yet",
			input:  Input{Self: "a", Nodes: []Node{self, node("b", "", "172.18.0.3")}},
			routes: []string{"unreachable 10.244.0.0/24"},
		},
		{
			name:     "a node that has no address yet",
			input:    Input{Self: "a", Nodes: []Node{self, node("b", "10.244.1.0/24")}},
			routes:   []string{"unreachable 10.244.0.0/24"},
			problems: []string{"node b: no InternalIP of the family of its podCIDR 10.244.1.0/24"},
		},
		{
			name: "an address that has moved to this node",
			input: Input{Self: "a", LocalAddresses: []netip.Addr{netip.MustParseAddr("172.18.0.3")},
				Nodes: []Node{self, node("b", "10.244.1.0/24", "172.18.0.3"), node("c", "10.244.2.0/24", "172.18.0.4")}},
			routes:   []string{"unreachable 10.244.0.0/24", "10.244.2.0/24 via 172.18.0.4"},
			problems: []string{"node b: its InternalIP 172.18.0.3 is an address of this node"},
		},
		{
			name:     "two nodes with one podCIDR: the first by name",
			input:    Input{Self: "a", Nodes: []Node{self, node("c", "10.244.1.0/24", "172.18.0.4"), node("b", "10.244.1.0/24", "172.18.0.3")}},
			routes:   []string{"unreachable 10.244.0.0/24", "10.244.1.0/24 via 172.18.0.3"},
			problems: []string{"node c: podCIDR 10.244.1.0/24 is already routed to 172.18.0.3"},
		},
		{
			name: "both families, each by an address of its own",
			input: Input{Self: "a", Nodes: []Node{self,
				node("b", "10.244.1.0/24,fd00:10:244:1::/64", "fc00::3", "172.18.0.3")}},
			routes: []string{"unreachable 10.244.0.0/24", "10.244.1.0/24 via 172.18.0.3", "fd00:10:244:1::/64 via fc00::3"},
		},
		{
			name:   "this node is not registered yet",
			input:  Input{Self: "a", Nodes: []Node{node("b", "10.244.1.0/24", "172.18.0.3")}},
			routes: []string{"10.244.1.0/24 via 172.18.0.3"},
		},
		{
			name:   "a podCIDR with host bits",
			input:  Input{Self: "a", Nodes: []Node{self, node("b", "10.244.1.7/24", "172.18.0.3")}},
			routes: []string{"unreachable 10.244.0.0/24", "10.244.1.0/24 via 172.18.0.3"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := For(c.input)
			var routes []string
			for _, route := range got.Routes {
				routes = append(routes, route.String())
			}
			if !slices.Equal(routes, c.routes) {
				t.Errorf("routes\n got %v\nwant %v", routes, c.routes)
			}
			if len(got.Problems) != len(c.problems) {
				t.Fatalf("problems\n got %q\nwant %q", got.Problems, c.problems)
			}
			for i, part := range c.problems {
				if !strings.Contains(got.Problems[i], part) {
					t.Errorf("problem %q does not say %q", got.Problems[i], part)
				}
			}
		})
	}
}

func TestForListsWhatIsNotMasqueraded(t *testing.T) {
	got := For(Input{Self: "a", Nodes: []Node{
		node("a", "10.244.0.0/24", "172.18.0.2"), node("b", "10.244.1.0/24", "172.18.0.3"), node("c", "10.244.9.0/24", "172.18.0.9"),
	}})
	want := []string{"10.244.0.0-10.244.1.255", "10.244.9.0-10.244.9.255", "172.18.0.2-172.18.0.3", "172.18.0.9-172.18.0.9"}
	if text := describe(got.Cluster); !slices.Equal(text, want) {
		t.Errorf("got %v, want %v", text, want)
	}
}

func TestMerge(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"none", "", ""},
		{"contained", "10.0.0.0/8 10.1.0.0/16", "10.0.0.0-10.255.255.255"},
		{"adjacent", "10.0.1.0/24 10.0.0.0/24", "10.0.0.0-10.0.1.255"},
		{"apart", "10.0.2.0/24 10.0.0.0/24", "10.0.0.0-10.0.0.255 10.0.2.0-10.0.2.255"},
		{"the same twice", "10.0.0.1/32 10.0.0.1/32", "10.0.0.1-10.0.0.1"},
		{"up to the last address", "255.255.255.0/24 255.255.255.255/32", "255.255.255.0-255.255.255.255"},
		{"families stay apart", "255.255.255.255/32 ::/128 0.0.0.0/0", "0.0.0.0-255.255.255.255 ::-::"},
		{"everything in IPv6", "::/0 fd00::/8", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var prefixes []netip.Prefix
			for _, text := range strings.Fields(c.in) {
				prefixes = append(prefixes, netip.MustParsePrefix(text))
			}
			if got := strings.Join(describe(Merge(prefixes)), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func describe(ranges []Range) []string {
	var out []string
	for _, r := range ranges {
		out = append(out, r.First.String()+"-"+r.Last.String())
	}
	return out
}
