package enforce

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
	"github.com/org/k8s-platform/images/node-network/internal/policy/flows"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
	"github.com/org/k8s-platform/images/node-network/internal/policy/watch"
)

// localPod is a pod of this node as the API describes it.
type localPod struct {
	policy.Pod
	identities []string
	hasAddress bool
}

// identities are the UIDs by which the kubelet may call a pod: a static pod has another one in
// the API than on its node, where it is the hash of its file.
func identities(pod *corev1.Pod) []string {
	list := []string{string(pod.UID)}
	if hash := pod.Annotations["kubernetes.io/config.hash"]; hash != "" {
		list = append(list, hash)
	}
	return list
}

// admission is an announcement with the version of the rules that respect it; 0 as long as the
// API has not told of the pod. A runtime may leave out the UID.
type admission struct {
	gate.Note
	version uint64
	// orphaned is set when the API has no such pod on this node any more while its sandbox is still there.
	orphaned bool
	// outdated is set while the pod waits for policies whose age is not known.
	outdated bool
}

func (a *admission) key() policy.Key { return policy.Key{Namespace: a.Namespace, Name: a.Name} }

// setPod takes a pod from the API.
func (e *Enforcer) setPod(pod *corev1.Pod) {
	converted := watch.Pod(pod, e.options.NodeName)
	if !converted.Local {
		delete(e.local, converted.Key())
		e.orphan(converted.Key())
		e.planner.SetPod(converted)
		return
	}
	known := &localPod{Pod: converted, identities: identities(pod), hasAddress: watch.HasAddress(pod)}
	e.local[converted.Key()] = known
	e.describe(known)
	e.place(converted.Key())
}

// deletePod forgets a pod. One that was deleted by force may go on for a while: it obeys until the
// runtime has taken its sandbox down.
func (e *Enforcer) deletePod(key policy.Key) {
	delete(e.local, key)
	e.orphan(key)
	e.planner.DeletePod(key)
}

// place gives a local pod to the planner with the addresses that the runtime announced, of which
// the API learns only later, or else with those of the API, unless another pod has got them since.
func (e *Enforcer) place(key policy.Key) {
	known := e.local[key]
	if known == nil {
		return
	}
	announced := e.addressesAnnounced(key)
	pod := known.Pod
	switch {
	case !known.hasAddress:
	case len(announced) > 0:
		pod.Addresses = announced
	default:
		pod.Addresses = slices.DeleteFunc(slices.Clone(pod.Addresses), e.isAnnounced)
	}
	for _, a := range e.announced {
		if a.version == 0 && known.is(a) {
			a.version = e.version
		}
	}
	e.planner.SetPod(pod)
}

// addressesAnnounced are those of all sandboxes of a pod: one that is made anew, or again under the
// same name, may have two for a while.
func (e *Enforcer) addressesAnnounced(key policy.Key) []netip.Addr {
	var addresses []netip.Addr
	for _, a := range e.announced {
		if a.key() == key && !a.orphaned {
			addresses = append(addresses, a.Addresses...)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return addresses
}

func (e *Enforcer) isAnnounced(address netip.Addr) bool {
	for _, a := range e.announced {
		if slices.Contains(a.Addresses, address) {
			return true
		}
	}
	return false
}

// replace places the pod of an announcement and those that had its addresses before.
func (e *Enforcer) replace(a *admission) {
	e.place(a.key())
	for key, other := range e.local {
		if key != a.key() && slices.ContainsFunc(other.Addresses, func(address netip.Addr) bool { return slices.Contains(a.Addresses, address) }) {
			e.place(key)
		}
	}
}

// Admit implements gate.Keeper. The announcement is noted before anything else: an agent that
// is killed now must know it when it starts again. Notes are written under the lock only: what the
// API tells of the same pod at this moment is noted as well, and the last word has to stay.
func (e *Enforcer) Admit(ctx context.Context, announcement gate.Announcement) error {
	a := &admission{Note: gate.Note{Announcement: announcement}}
	var failure error
	(*receiver)(e).change(func(e *Enforcer) {
		// Asked for again: what the API told of it stays true, also where the API has it no more.
		if before := e.announced[a.Container]; before != nil && before.key() == a.key() && before.UID == a.UID {
			a.Described, a.Labels, a.Ports, a.orphaned = before.Described, before.Labels, before.Ports, before.orphaned
		}
		if failure = e.notes.Save(a.Note); failure != nil {
			return
		}
		e.announced[a.Container] = a
		if known := e.local[a.key()]; known != nil {
			e.describe(known)
		}
		e.replace(a)
	})
	if failure != nil {
		return failure
	}
	for {
		e.mu.Lock()
		reason, progress := e.missing(a, time.Now()), e.progress
		e.mu.Unlock()
		if reason == "" {
			// Behind the rules: a packet in between would be the first of a connection that is let through.
			return flows.Forget(e.options.Namespace, announcement.Addresses)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", reason, ctx.Err())
		case <-progress:
		}
	}
}

// missing says what a pod waits for, and nothing when its rules are in the kernel.
func (e *Enforcer) missing(a *admission, now time.Time) string {
	if outdated := e.outdated(now, "networkpolicies", "namespaces"); outdated != "" {
		a.outdated = true
		return outdated
	}
	if a.outdated && a.version != 0 {
		a.outdated, a.version = false, e.version // with all that was heard of since
	}
	switch {
	case e.failure != "":
		return e.failure
	case a.version == 0:
		return "the API server has not told this node of the pod yet"
	case !e.isReady || e.written < a.version:
		return "its rules are not written yet"
	}
	return ""
}

// Dismiss implements gate.Keeper.
func (e *Enforcer) Dismiss(container string) error {
	var failure error
	(*receiver)(e).change(func(e *Enforcer) {
		failure = e.notes.Remove(container)
		a := e.announced[container]
		if a == nil {
			return
		}
		delete(e.announced, container)
		if a.orphaned {
			e.planner.DeletePod(a.orphanKey())
		}
		e.replace(a)
	})
	return failure
}

// recall takes over what an agent before has been told.
func (e *Enforcer) recall() {
	list, err := e.notes.Load()
	if err != nil {
		e.log.Error("part of what an agent before knew is lost", "error", err)
	}
	(*receiver)(e).change(func(e *Enforcer) {
		for _, note := range list {
			if _, newer := e.announced[note.Container]; !newer {
				e.announced[note.Container] = &admission{Note: note}
			}
		}
	})
}
