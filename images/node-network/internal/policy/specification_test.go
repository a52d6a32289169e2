package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// The cluster of the table: namespaces x and y with pods a, b and c each, all on this node.
// "web" is another port on each pod; "dns" is a UDP port of b alone.
//
//	x: team=red           y: team=blue, env=prod
//	a: app=a tier=front   b: app=b tier=back   c: app=c
var fixtureAddresses = map[string]string{
	"x/a": "10.0.0.1", "x/b": "10.0.0.2", "x/c": "10.0.0.3",
	"y/a": "10.0.1.1", "y/b": "10.0.1.2", "y/c": "10.0.1.3",
	"outside": "192.0.2.7", "metadata": "169.254.169.254",
}

func fixture() *Planner {
	p := NewPlanner()
	p.SetNamespace("x", map[string]string{"team": "red"})
	p.SetNamespace("y", map[string]string{"team": "blue", "env": "prod"})
	for _, namespace := range []string{"x", "y"} {
		for i, name := range []string{"a", "b", "c"} {
			key := Key{namespace, name}
			labels := map[string]string{"app": name}
			if name != "c" {
				labels["tier"] = map[string]string{"a": "front", "b": "back"}[name]
			}
			ports := []NamedPort{{"web", TCP, uint16(8080 + i)}}
			if name == "b" {
				ports = append(ports, NamedPort{"dns", UDP, 53})
			}
			v4 := netip.MustParseAddr(fixtureAddresses[key.String()])
			v6 := netip.MustParseAddr("fd00::" + strings.ReplaceAll(v4.String(), ".", ":"))
			p.SetPod(Pod{Namespace: namespace, Name: name, Labels: labels, Addresses: []netip.Addr{v4, v6}, Local: true, Ports: ports})
		}
	}
	return p
}

func parsePolicy(t *testing.T, namespace, name, spec string) *networkingv1.NetworkPolicy {
	t.Helper()
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	return policy
}

// parseFlow reads "x/a > y/b TCP 80", between names or addresses. IPv6 addresses of pods are
// asked for by "6" at the end.
func parseFlow(t *testing.T, text string) Flow {
	t.Helper()
	var from, to, protocol string
	var port uint16
	var version int
	if _, err := fmt.Sscanf(text+" 0 4", "%s > %s %s %d %d", &from, &to, &protocol, &port, &version); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	number, known := map[string]uint8{"TCP": TCP, "UDP": UDP, "SCTP": SCTP, "ICMP": 1}[protocol]
	if !known {
		t.Fatalf("%q: protocol %q", text, protocol)
	}
	address := func(name string) netip.Addr {
		if known := fixtureAddresses[name]; known != "" {
			name = known
			if version == 6 {
				name = "fd00::" + strings.ReplaceAll(known, ".", ":")
			}
		}
		return netip.MustParseAddr(name)
	}
	return Flow{Source: address(from), Destination: address(to), Protocol: number, Port: port}
}

func allows(p *Planner, flow Flow) bool {
	return p.Tables()[familyOf(flow.Source)].Allows(flow)
}

func TestSpecification(t *testing.T) {
	for _, c := range specification {
		t.Run(c.name, func(t *testing.T) {
			p := fixture()
			o := newOracle(p)
			for i, text := range c.policies {
				namespace, spec, _ := strings.Cut(text, ": ")
				policy := parsePolicy(t, namespace, fmt.Sprintf("policy-%d", i), spec)
				if problems := p.SetPolicy(policy); len(problems) != c.problems {
					t.Errorf("problems %q, want %d", problems, c.problems)
				}
				o.policies[Key{namespace, policy.Name}] = policy
			}
			for want, texts := range map[bool][]string{true: c.allowed, false: c.denied} {
				for _, text := range texts {
					flow := parseFlow(t, text)
					if got := allows(p, flow); got != want {
						t.Errorf("%s: allowed %v, want %v", text, got, want)
					}
					if c.problems > 0 {
						continue // the oracle reads what is valid
					}
					if got := o.allows(flow); got != want {
						t.Errorf("%s: the oracle says %v, want %v", text, got, want)
					}
				}
			}
		})
	}
}
