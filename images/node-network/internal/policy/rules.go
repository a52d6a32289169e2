package policy

import (
	"net/netip"
	"strings"
)

// chainOfPolicy is the chain with what a policy allows. It decides nothing for other packets.
func chainOfPolicy(direction Direction, policy Key) string {
	return bounded("policy-" + direction.String() + "-" + policy.String())
}

// chainOfPod is the chain a packet from or to an isolated pod enters.
func chainOfPod(direction Direction, address netip.Addr) string {
	return "pod-" + direction.String() + "-" + strings.ReplaceAll(address.String(), ":", "_")
}

// chainOfPolicies is the chain that visits some policies and drops what none of them allows.
// Pods with the same policies share it.
func chainOfPolicies(direction Direction, chains []string) string {
	return "policies-" + direction.String() + "-" + digest(strings.Join(chains, "\n"))
}

// bounded shortens a name to what nftables takes, keeping it unique.
func bounded(name string) string {
	const most = 200
	if len(name) <= most {
		return name
	}
	return name[:most] + "-" + digest(name)
}

// podRules are a pod's chain: a connection to itself, which is what one through its own Service
// is by now, passes; for all others its policies decide.
func podRules(direction Direction, address netip.Addr, policies string) []Rule {
	self := Rule{From: address, To: address, Verdict: Accept}
	return []Rule{self, {Verdict: Goto, Chain: policies}}
}

func rulesOfPolicies(chains []string) []Rule {
	rules := make([]Rule, 0, len(chains)+1)
	for _, chain := range chains {
		rules = append(rules, Rule{Verdict: Jump, Chain: chain})
	}
	return append(rules, Rule{Verdict: Drop})
}

// rules returns what the policy allows in a direction as rules of one family, and the sets they
// ask.
func (c *compiled) rules(direction Direction, ipv4 bool) (rules []Rule, sources []*setSource) {
	for _, allowed := range c.allowed[direction] {
		peers, peerSources := allowed.peerRules(direction, ipv4)
		ports, portSources := allowed.portRules()
		for _, peer := range peers {
			for _, port := range ports {
				rule := peer
				rule.Protocol, rule.FirstPort, rule.LastPort, rule.DestinationPort = port.Protocol, port.FirstPort, port.LastPort, port.DestinationPort
				rules = append(rules, rule)
			}
		}
		if len(peers) > 0 && len(ports) > 0 {
			sources = append(append(sources, peerSources...), portSources...)
		}
	}
	return rules, sources
}

// peerRules returns rules that match the peers, one of which has to.
func (a *allowance) peerRules(direction Direction, ipv4 bool) (rules []Rule, sources []*setSource) {
	if a.anyPeer {
		return []Rule{{Verdict: Accept}}, nil
	}
	sources = append(sources, a.peers...)
	if blocks := ofFamily(a.blocks, ipv4); len(blocks) > 0 {
		sources = append(sources, rangeSet(blocks))
	}
	for _, source := range sources {
		rule := Rule{Verdict: Accept}
		if direction == Ingress {
			rule.Source = source.name
		} else {
			rule.Destination = source.name
		}
		rules = append(rules, rule)
	}
	return rules, sources
}

// portRules returns rules that match the ports, one of which has to. A port's name stands for
// the number the destination pod gives it, whichever direction the policy is about.
func (a *allowance) portRules() (rules []Rule, sources []*setSource) {
	if a.anyPort {
		return []Rule{{}}, nil
	}
	for _, p := range a.ports {
		rule := Rule{Protocol: p.protocol, FirstPort: p.first, LastPort: p.last}
		if p.name != "" {
			source := namedPorts(p.name, p.protocol)
			sources = append(sources, source)
			rule.DestinationPort = source.name
		}
		rules = append(rules, rule)
	}
	return rules, sources
}
