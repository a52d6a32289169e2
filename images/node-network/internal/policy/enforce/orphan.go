package enforce

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
)

// is whether an announcement is of this pod, and not of one of the same name before.
func (p *localPod) is(a *admission) bool {
	return a.key() == p.Key() && (a.UID == "" || slices.Contains(p.identities, a.UID))
}

// describe notes what the API tells of a pod, as it may be gone from there when the next agent
// starts.
func (e *Enforcer) describe(known *localPod) {
	for _, a := range e.announced {
		if !known.hasAddress || !known.is(a) {
			continue
		}
		if a.orphaned {
			a.orphaned = false
			e.planner.DeletePod(a.orphanKey())
		}
		var ports []gate.Port
		for _, port := range known.Ports {
			ports = append(ports, gate.Port(port))
		}
		if a.Described && maps.Equal(a.Labels, known.Labels) && slices.Equal(a.Ports, ports) {
			continue
		}
		a.Described, a.Labels, a.Ports = true, known.Labels, ports
		if err := e.notes.Save(a.Note); err != nil {
			e.log.Error("an agent that starts anew would not know this pod, once it is gone from the API", "error", err)
		}
	}
}

// orphan lets the sandboxes that a pod of this node has left go on to obey what the API told of it
// last. A pod of the same name may be anywhere by now, so each is a pod of its own to the planner.
func (e *Enforcer) orphan(key policy.Key) {
	for _, a := range e.announced {
		if a.key() != key || !a.Described || a.orphaned || e.isTaken(a) {
			continue
		}
		a.orphaned = true
		pod := policy.Pod{Namespace: a.Namespace, Name: a.orphanKey().Name, Labels: a.Labels, Addresses: a.Addresses, Local: true}
		for _, port := range a.Ports {
			pod.Ports = append(pod.Ports, policy.NamedPort(port))
		}
		e.planner.SetPod(pod)
	}
}

// orphanKey is a key that no pod of the API has.
func (a *admission) orphanKey() policy.Key {
	return policy.Key{Namespace: a.Namespace, Name: a.Name + "/" + a.Container}
}

// isTaken is whether another sandbox has got an address since: then this one is gone.
func (e *Enforcer) isTaken(a *admission) bool {
	for _, other := range e.announced {
		if other != a && slices.ContainsFunc(a.Addresses, func(address netip.Addr) bool { return slices.Contains(other.Addresses, address) }) {
			return true
		}
	}
	return false
}

// orphanUnknown is for the pods that an agent before was told of, and the API does not have.
func (e *Enforcer) orphanUnknown() {
	for _, a := range e.announced {
		if e.local[a.key()] == nil {
			e.orphan(a.key())
		}
	}
}
