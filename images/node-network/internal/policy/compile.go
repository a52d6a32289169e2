package policy

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

// compiled is a policy whose selectors and ranges are parsed.
type compiled struct {
	key  Key
	pods labels.Selector
	// applies is whether the policy isolates the pods it selects, by direction.
	applies [2]bool
	allowed [2][]allowance
	// problems are the parts that had to be left out; what is left out allows nothing.
	problems []string
}

// allowance is one rule of a policy: any of the peers, on any of the ports.
type allowance struct {
	anyPeer bool
	peers   []*setSource // of pods
	blocks  []plan.Range // what all ipBlocks together allow
	anyPort bool
	ports   []port
}

// port is a protocol with a range of ports, with a named one, or with all (last is 0).
type port struct {
	protocol    uint8
	first, last uint16
	name        string
}

// compile never fails: a policy in the API isolates the pods it selects, and what cannot be
// understood of its rules allows nothing.
func compile(policy *networkingv1.NetworkPolicy) *compiled {
	c := &compiled{key: Key{policy.Namespace, policy.Name}}
	c.pods = c.selector("spec.podSelector", &policy.Spec.PodSelector, labels.Everything())
	types := policy.Spec.PolicyTypes
	if len(types) == 0 {
		types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(policy.Spec.Egress) > 0 {
			types = append(types, networkingv1.PolicyTypeEgress)
		}
	}
	c.applies[Ingress] = slices.Contains(types, networkingv1.PolicyTypeIngress)
	c.applies[Egress] = slices.Contains(types, networkingv1.PolicyTypeEgress)
	for i, rule := range policy.Spec.Ingress {
		c.allow(Ingress, fmt.Sprintf("spec.ingress[%d]", i), "from", rule.From, rule.Ports)
	}
	for i, rule := range policy.Spec.Egress {
		c.allow(Egress, fmt.Sprintf("spec.egress[%d]", i), "to", rule.To, rule.Ports)
	}
	return c
}

// allow takes a rule; field is what the API calls its peers.
func (c *compiled) allow(direction Direction, path, field string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	a := allowance{anyPeer: len(peers) == 0, anyPort: len(ports) == 0}
	var blocks []plan.Range
	for i, peer := range peers {
		path := fmt.Sprintf("%s.%s[%d]", path, field, i)
		if peer.IPBlock != nil {
			blocks = append(blocks, c.block(path, peer.IPBlock)...)
		} else if peer.PodSelector != nil || peer.NamespaceSelector != nil {
			a.peers = append(a.peers, c.peer(path, peer))
		}
	}
	a.blocks = mergeRanges(blocks)
	for i, p := range ports {
		if parsed, ok := c.port(fmt.Sprintf("%s.ports[%d]", path, i), p); ok {
			a.ports = append(a.ports, parsed)
		}
	}
	c.allowed[direction] = append(c.allowed[direction], a)
}

func (c *compiled) peer(path string, peer networkingv1.NetworkPolicyPeer) *setSource {
	source := &setSource{kind: Addresses, pods: labels.Everything()}
	if peer.PodSelector != nil {
		source.pods = c.selector(path+".podSelector", peer.PodSelector, labels.Nothing())
	}
	text := "in namespace " + c.key.Namespace
	if peer.NamespaceSelector == nil {
		source.namespace = c.key.Namespace
	} else {
		source.namespaces = c.selector(path+".namespaceSelector", peer.NamespaceSelector, labels.Nothing())
		text = "in namespaces " + describe(source.namespaces)
	}
	source.comment = "pods " + describe(source.pods) + " " + text
	source.name = "peer-" + digest(source.comment)
	return source
}

func (c *compiled) block(path string, block *networkingv1.IPBlock) []plan.Range {
	cidr, err := netip.ParsePrefix(block.CIDR)
	if err != nil {
		c.problem("%s.ipBlock.cidr is %q, which is no address range", path, block.CIDR)
		return nil
	}
	var except []netip.Prefix
	for i, text := range block.Except {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			c.problem("%s.ipBlock.except[%d] is %q, which is no address range", path, i, text)
			return nil
		}
		except = append(except, prefix)
	}
	return without(plan.Merge([]netip.Prefix{cidr}), plan.Merge(except))
}

func (c *compiled) port(path string, p networkingv1.NetworkPolicyPort) (port, bool) {
	parsed := port{protocol: TCP}
	if p.Protocol != nil {
		number, known := Protocol(*p.Protocol)
		if !known {
			c.problem("%s.protocol is %q; TCP, UDP and SCTP are known", path, *p.Protocol)
			return port{}, false
		}
		parsed.protocol = number
	}
	switch {
	case p.Port == nil && p.EndPort != nil:
		c.problem("%s.endPort needs a port", path)
		return port{}, false
	case p.Port == nil:
		return parsed, true
	case p.Port.Type == intstr.String && p.EndPort != nil:
		c.problem("%s.endPort needs a port that is a number", path)
		return port{}, false
	case p.Port.Type == intstr.String:
		parsed.name = p.Port.StrVal
		return parsed, true
	}
	first, last := p.Port.IntVal, p.Port.IntVal
	if p.EndPort != nil {
		last = *p.EndPort
	}
	if first < 1 || last > 65535 || last < first {
		c.problem("%s: ports %d to %d are no range of 1 to 65535", path, first, last)
		return port{}, false
	}
	parsed.first, parsed.last = uint16(first), uint16(last)
	return parsed, true
}

// Protocol returns the number of a protocol of the API.
func Protocol(name corev1.Protocol) (uint8, bool) {
	switch name {
	case corev1.ProtocolTCP:
		return TCP, true
	case corev1.ProtocolUDP:
		return UDP, true
	case corev1.ProtocolSCTP:
		return SCTP, true
	}
	return 0, false
}

// selector parses a selector; one that cannot be understood is otherwise, which errs on the side
// of denying.
func (c *compiled) selector(path string, selector *metav1.LabelSelector, otherwise labels.Selector) labels.Selector {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		c.problem("%s: %v", path, err)
		return otherwise
	}
	return parsed
}

func (c *compiled) problem(format string, arguments ...any) {
	c.problems = append(c.problems, fmt.Sprintf("NetworkPolicy %s: ", c.key)+fmt.Sprintf(format, arguments...))
}

func describe(selector labels.Selector) string {
	if selector.Empty() {
		return "(all)"
	}
	return "(" + selector.String() + ")"
}
