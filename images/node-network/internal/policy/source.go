package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

// setSource is where the elements of a set come from: the pods that a peer selects, the pods
// that have a port of some name, or ranges. Equal sources have equal names, so that policies
// share a set.
type setSource struct {
	name, comment string
	kind          SetKind

	// Of Addresses: the pods selected, in one namespace or in those selected.
	pods       labels.Selector
	namespace  string
	namespaces labels.Selector

	// Of AddressPorts: pods that have a port of this name and protocol.
	portName string
	protocol uint8

	// Of Ranges.
	ranges []plan.Range
}

func namedPorts(name string, protocol uint8) *setSource {
	return &setSource{
		name: fmt.Sprintf("port-%d-%s", protocol, name), kind: AddressPorts,
		comment:  fmt.Sprintf("pods with a port %s of protocol %d, and its number", name, protocol),
		portName: name, protocol: protocol,
	}
}

func rangeSet(ranges []plan.Range) *setSource {
	text := fmt.Sprint(ranges)
	return &setSource{name: "block-" + digest(text), comment: "ipBlocks without their exceptions", kind: Ranges, ranges: ranges}
}

// elements are what a pod contributes to the set in one family.
func (s *setSource) elements(pod *Pod, namespace map[string]string, ipv4 bool) []Element {
	if s.kind == Ranges || len(pod.Addresses) == 0 || (s.kind == Addresses && !s.selects(pod, namespace)) {
		return nil
	}
	var elements []Element
	for _, address := range pod.Addresses {
		if address.Is4() != ipv4 {
			continue
		}
		if s.kind == Addresses {
			elements = append(elements, Element{First: address})
			continue
		}
		for _, port := range pod.Ports {
			if port.Name == s.portName && port.Protocol == s.protocol {
				elements = append(elements, Element{First: address, Port: port.Number})
			}
		}
	}
	return elements
}

func (s *setSource) selects(pod *Pod, namespace map[string]string) bool {
	if s.namespaces == nil {
		return pod.Namespace == s.namespace && s.pods.Matches(labels.Set(pod.Labels))
	}
	// A namespace that is not known yet has no labels that could be selected, nor be missing.
	return namespace != nil && s.namespaces.Matches(labels.Set(namespace)) && s.pods.Matches(labels.Set(pod.Labels))
}

// hasNamespaceSelector is whether labels of namespaces matter.
func (s *setSource) hasNamespaceSelector() bool { return s.namespaces != nil }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

func familyOf(address netip.Addr) int {
	if address.Is4() {
		return 0
	}
	return 1
}
