package policy

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// oracle answers by reading the policies anew for each flow, word by word as the API describes
// them. It shares no code with the planner.
type oracle struct {
	pods       map[Key]Pod
	namespaces map[string]map[string]string
	policies   map[Key]*networkingv1.NetworkPolicy
}

// newOracle knows the pods and namespaces of a planner.
func newOracle(p *Planner) *oracle {
	o := &oracle{pods: map[Key]Pod{}, namespaces: map[string]map[string]string{}, policies: map[Key]*networkingv1.NetworkPolicy{}}
	for name, namespace := range p.namespaces {
		o.namespaces[name] = namespace.labels
		for _, pod := range namespace.pods {
			o.pods[pod.Key()] = *pod.Pod
		}
	}
	return o
}

func (o *oracle) podAt(address netip.Addr) *Pod {
	for _, pod := range o.pods {
		if slices.Contains(pod.Addresses, address) {
			return &pod
		}
	}
	return nil
}

func (o *oracle) allows(flow Flow) bool {
	return flow.Source == flow.Destination ||
		o.permits(networkingv1.PolicyTypeEgress, flow.Source, flow.Destination, flow) &&
			o.permits(networkingv1.PolicyTypeIngress, flow.Destination, flow.Source, flow)
}

func (o *oracle) permits(direction networkingv1.PolicyType, subject, peer netip.Addr, flow Flow) bool {
	pod := o.podAt(subject)
	if pod == nil || !pod.Local {
		return true
	}
	isolated := false
	for key, policy := range o.policies {
		spec := policy.Spec
		types := spec.PolicyTypes
		if len(types) == 0 {
			types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
			if len(spec.Egress) != 0 {
				types = append(types, networkingv1.PolicyTypeEgress)
			}
		}
		if key.Namespace != pod.Namespace || !slices.Contains(types, direction) || !selects(&spec.PodSelector, pod.Labels) {
			continue
		}
		isolated = true
		if direction == networkingv1.PolicyTypeIngress {
			for _, rule := range spec.Ingress {
				if o.peers(rule.From, key.Namespace, peer) && o.ports(rule.Ports, flow) {
					return true
				}
			}
		} else {
			for _, rule := range spec.Egress {
				if o.peers(rule.To, key.Namespace, peer) && o.ports(rule.Ports, flow) {
					return true
				}
			}
		}
	}
	return !isolated
}

func (o *oracle) peers(peers []networkingv1.NetworkPolicyPeer, namespace string, address netip.Addr) bool {
	if len(peers) == 0 {
		return true
	}
	pod := o.podAt(address)
	return slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
		switch {
		case peer.IPBlock != nil:
			return netip.MustParsePrefix(peer.IPBlock.CIDR).Contains(address) && !slices.ContainsFunc(peer.IPBlock.Except, func(text string) bool {
				return netip.MustParsePrefix(text).Contains(address)
			})
		case pod == nil:
			return false
		case peer.NamespaceSelector == nil:
			return pod.Namespace == namespace && selects(peer.PodSelector, pod.Labels)
		}
		labels, known := o.namespaces[pod.Namespace]
		return known && labels != nil && selects(peer.NamespaceSelector, labels) && (peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels))
	})
}

func (o *oracle) ports(ports []networkingv1.NetworkPolicyPort, flow Flow) bool {
	if len(ports) == 0 {
		return true
	}
	numbers := map[corev1.Protocol]uint8{corev1.ProtocolTCP: 6, corev1.ProtocolUDP: 17, corev1.ProtocolSCTP: 132}
	return slices.ContainsFunc(ports, func(port networkingv1.NetworkPolicyPort) bool {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		switch {
		case numbers[protocol] != flow.Protocol:
			return false
		case port.Port == nil:
			return true
		case port.Port.Type == intstr.Int && port.EndPort != nil:
			return int32(flow.Port) >= port.Port.IntVal && int32(flow.Port) <= *port.EndPort
		case port.Port.Type == intstr.Int:
			return int32(flow.Port) == port.Port.IntVal
		}
		pod := o.podAt(flow.Destination)
		return pod != nil && slices.Contains(pod.Ports, NamedPort{port.Port.StrVal, flow.Protocol, flow.Port})
	})
}

func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		panic(err)
	}
	return parsed.Matches(labels.Set(set))
}
