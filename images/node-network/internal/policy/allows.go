package policy

import "net/netip"

// Flow is the first packet of a connection, as it passes the forward hook: after the Service's
// address was replaced by a pod's, before the pod's by the node's.
type Flow struct {
	Source, Destination netip.Addr
	Protocol            uint8
	Port                uint16 // of the destination; 0 for protocols without ports
}

// Allows follows a packet through the table as the kernel does, and returns whether it is let
// through.
func (t *Table) Allows(flow Flow) bool {
	for direction, address := range map[Direction]netip.Addr{Egress: flow.Source, Ingress: flow.Destination} {
		chain, isolated := t.Isolated[direction][address]
		if isolated && t.visit(chain, flow) != Accept {
			return false
		}
	}
	return true
}

// visit returns Accept, Drop, or Jump for a chain that ends undecided.
func (t *Table) visit(chain string, flow Flow) Verdict {
	for _, rule := range t.Chains[chain] {
		if !t.matches(rule, flow) {
			continue
		}
		switch rule.Verdict {
		case Goto:
			return t.visit(rule.Chain, flow)
		case Jump:
			if verdict := t.visit(rule.Chain, flow); verdict != Jump {
				return verdict
			}
		default:
			return rule.Verdict
		}
	}
	return Jump
}

func (t *Table) matches(rule Rule, flow Flow) bool {
	switch {
	case rule.From.IsValid() && rule.From != flow.Source,
		rule.To.IsValid() && rule.To != flow.Destination,
		rule.Source != "" && !t.Sets[rule.Source].holds(flow.Source, 0),
		rule.Destination != "" && !t.Sets[rule.Destination].holds(flow.Destination, 0),
		rule.Protocol != 0 && rule.Protocol != flow.Protocol,
		rule.LastPort != 0 && (flow.Port < rule.FirstPort || flow.Port > rule.LastPort),
		rule.DestinationPort != "" && !t.Sets[rule.DestinationPort].holds(flow.Destination, flow.Port):
		return false
	}
	return true
}

func (s *Set) holds(address netip.Addr, port uint16) bool {
	if s.Kind != Ranges {
		return s.Elements[Element{First: address, Port: port}] > 0
	}
	for element := range s.Elements {
		if element.First.Compare(address) <= 0 && address.Compare(element.Last) <= 0 {
			return true
		}
	}
	return false
}
