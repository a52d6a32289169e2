package enforce

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
	"github.com/org/k8s-platform/images/node-network/internal/policy/watch"
)

// receiver is the Enforcer as package watch sees it.
type receiver Enforcer

func (r *receiver) change(apply func(e *Enforcer)) {
	e := (*Enforcer)(r)
	e.mu.Lock()
	e.version++
	apply(e)
	e.announceProgress()
	if e.since.IsZero() {
		e.since = time.Now()
	}
	e.mu.Unlock()
	signal(e.changed)
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default: // a signal is already waiting
	}
}

func (r *receiver) SetPod(pod *corev1.Pod) {
	r.change(func(e *Enforcer) { e.setPod(pod) })
}

func (r *receiver) DeletePod(key policy.Key) {
	r.change(func(e *Enforcer) { e.deletePod(key) })
}

func (r *receiver) SetNamespace(name string, labels map[string]string) {
	r.change(func(e *Enforcer) { e.planner.SetNamespace(name, labels) })
}

func (r *receiver) DeleteNamespace(name string) {
	r.change(func(e *Enforcer) { e.planner.DeleteNamespace(name) })
}

func (r *receiver) SetPolicy(policy *networkingv1.NetworkPolicy) {
	r.change(func(e *Enforcer) { e.setPolicy(policy) })
}

func (r *receiver) DeletePolicy(key policy.Key) {
	r.change(func(e *Enforcer) {
		delete(e.problems, key)
		e.planner.DeletePolicy(key)
	})
}

func (r *receiver) Listed(resource string) {
	r.change(func(e *Enforcer) {
		if resource == "pods" {
			e.orphanUnknown()
		}
		e.waiting = slices.DeleteFunc(e.waiting, func(other string) bool { return other == resource })
	})
}

// Current lets pods that waited for this go on.
func (r *receiver) Current(string) { r.change(func(*Enforcer) {}) }

func (e *Enforcer) setPolicy(p *networkingv1.NetworkPolicy) {
	key := policy.Key{Namespace: p.Namespace, Name: p.Name}
	problems := e.planner.SetPolicy(p)
	for _, problem := range problems {
		if !slices.Contains(e.problems[key], problem) {
			e.log.Warn("part of a network policy is left out and allows nothing", "reason", problem)
		}
	}
	e.problems[key] = problems
}

var _ watch.Receiver = (*receiver)(nil)
