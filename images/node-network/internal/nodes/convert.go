package nodes

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

// fromAPI returns what the plan needs of a node, leaving out addresses that do not parse; the
// error names those.
func fromAPI(node *corev1.Node) (plan.Node, error) {
	out := plan.Node{Name: node.Name}
	var failure error
	cidrs := node.Spec.PodCIDRs
	if len(cidrs) == 0 && node.Spec.PodCIDR != "" {
		cidrs = []string{node.Spec.PodCIDR}
	}
	for _, text := range cidrs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			failure = fmt.Errorf("node %s: podCIDR %q: %w", node.Name, text, err)
			continue
		}
		out.PodCIDRs = append(out.PodCIDRs, prefix.Masked())
	}
	for _, entry := range node.Status.Addresses {
		if entry.Type != corev1.NodeInternalIP {
			continue
		}
		address, err := netip.ParseAddr(entry.Address)
		if err != nil {
			failure = fmt.Errorf("node %s: InternalIP %q: %w", node.Name, entry.Address, err)
			continue
		}
		out.InternalIPs = append(out.InternalIPs, address.Unmap())
	}
	return out, failure
}

// trim drops what the plan does not need, before the informer stores the node: images and
// conditions are most of a node's size.
func trim(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	trimmed := &corev1.Node{}
	trimmed.Name, trimmed.UID, trimmed.ResourceVersion = node.Name, node.UID, node.ResourceVersion
	trimmed.Spec.PodCIDR, trimmed.Spec.PodCIDRs = node.Spec.PodCIDR, node.Spec.PodCIDRs
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			trimmed.Status.Addresses = append(trimmed.Status.Addresses, address)
		}
	}
	return trimmed, nil
}
