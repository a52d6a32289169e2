package watch

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

// Pod returns what the planner needs of a pod. A pod in the node's network has no address of
// its own: to policies its traffic is the node's. One that has ended has given its address back.
func Pod(pod *corev1.Pod, node string) policy.Pod {
	out := policy.Pod{Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels, Local: pod.Spec.NodeName == node}
	if !HasAddress(pod) {
		return out
	}
	for _, entry := range pod.Status.PodIPs {
		if address, err := netip.ParseAddr(entry.IP); err == nil {
			out.Addresses = append(out.Addresses, address.Unmap())
		}
	}
	out.Ports = namedPorts(pod.Spec.Containers)
	for _, container := range pod.Spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			out.Ports = append(out.Ports, namedPorts([]corev1.Container{container})...)
		}
	}
	return out
}

// HasAddress is whether a pod may use an address of the pod network.
func HasAddress(pod *corev1.Pod) bool {
	return !pod.Spec.HostNetwork && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

func namedPorts(containers []corev1.Container) []policy.NamedPort {
	var ports []policy.NamedPort
	for _, container := range containers {
		for _, port := range container.Ports {
			protocol, known := policy.Protocol(port.Protocol)
			if port.Protocol == "" {
				protocol, known = policy.TCP, true
			}
			if port.Name != "" && known {
				ports = append(ports, policy.NamedPort{Name: port.Name, Protocol: protocol, Number: uint16(port.ContainerPort)})
			}
		}
	}
	return ports
}
