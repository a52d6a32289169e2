package policy

import (
	"net/netip"
	"slices"
)

// isolate brings the chains of addresses of this node up to date.
func (p *Planner) isolate(addresses []netip.Addr) {
	for _, address := range addresses {
		for _, direction := range Directions {
			var chains []string
			if pods := p.claims[address]; len(pods) > 0 {
				chains = pods[len(pods)-1].chains(direction)
			}
			p.planes[familyOf(address)].isolate(direction, address, chains)
		}
	}
}

func (s *podState) chains(direction Direction) []string {
	var chains []string
	for _, policy := range s.selectedBy {
		if policy.applies[direction] {
			chains = append(chains, chainOfPolicy(direction, policy.key))
		}
	}
	slices.Sort(chains)
	return chains
}

func (p *Planner) claim(pod *podState) {
	if !pod.Local {
		return
	}
	for _, address := range pod.Addresses {
		p.claims[address] = append(p.claims[address], pod)
	}
}

func (p *Planner) unclaim(pod *podState) {
	for _, address := range pod.Addresses {
		left := slices.DeleteFunc(p.claims[address], func(other *podState) bool { return other == pod })
		if len(left) == 0 {
			delete(p.claims, address)
		} else {
			p.claims[address] = left
		}
	}
}

func addressesOf(before, after *Pod) []netip.Addr {
	var addresses []netip.Addr
	if before != nil {
		addresses = append(addresses, before.Addresses...)
	}
	if after != nil {
		for _, address := range after.Addresses {
			if !slices.Contains(addresses, address) {
				addresses = append(addresses, address)
			}
		}
	}
	return addresses
}
