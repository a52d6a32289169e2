package policy

import (
	"maps"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Planner keeps the tables of one node as the cluster changes. Each change costs what it
// touches, not the size of the cluster. It is not safe for concurrent use.
type Planner struct {
	pods       map[Key]*podState
	namespaces map[string]*namespaceState
	chains     map[string]chainOwner
	planes     [2]*plane // IPv4, IPv6
	// claims are the local pods that have an address: one, but for a pod that is gone while the
	// API does not know it yet. The last one counts.
	claims map[netip.Addr][]*podState
}

type podState struct {
	*Pod
	// selectedBy are the policies that select a local pod.
	selectedBy []*compiled
}

type namespaceState struct {
	labels   map[string]string // nil while the namespace is not known
	pods     map[string]*podState
	policies map[string]*compiled
}

type chainOwner struct {
	policy    *compiled
	direction Direction
}

// NewPlanner returns a planner of an empty cluster.
func NewPlanner() *Planner {
	p := &Planner{
		pods: map[Key]*podState{}, namespaces: map[string]*namespaceState{},
		chains: map[string]chainOwner{}, claims: map[netip.Addr][]*podState{},
	}
	p.planes = [2]*plane{newPlane(true, p), newPlane(false, p)}
	return p
}

// Tables returns the tables of both families; they change with the planner.
func (p *Planner) Tables() [2]*Table { return [2]*Table{p.planes[0].table, p.planes[1].table} }

// Pods is the number of pods known.
func (p *Planner) Pods() int { return len(p.pods) }

// SetPod adds or changes a pod.
func (p *Planner) SetPod(pod Pod) {
	known := p.pods[pod.Key()]
	if known != nil && known.Pod.equal(&pod) {
		return
	}
	namespace := p.namespace(pod.Namespace)
	var before *Pod
	if known == nil {
		known = &podState{}
		p.pods[pod.Key()] = known
		namespace.pods[pod.Name] = known
	} else {
		before = known.Pod
		p.unclaim(known)
	}
	known.Pod = &pod
	for _, plane := range p.planes {
		plane.move(state{before, namespace.labels}, state{&pod, namespace.labels}, nil)
	}
	known.selectedBy = nil
	if pod.Local {
		for _, policy := range namespace.policies {
			if policy.pods.Matches(labels.Set(pod.Labels)) {
				known.selectedBy = append(known.selectedBy, policy)
			}
		}
	}
	p.claim(known)
	p.isolate(addressesOf(before, &pod))
}

// DeletePod forgets a pod.
func (p *Planner) DeletePod(key Key) {
	known := p.pods[key]
	if known == nil {
		return
	}
	namespace := p.namespace(key.Namespace)
	for _, plane := range p.planes {
		plane.move(state{known.Pod, namespace.labels}, state{}, nil)
	}
	p.unclaim(known)
	delete(p.pods, key)
	delete(namespace.pods, key.Name)
	p.forgetEmpty(key.Namespace)
	p.isolate(addressesOf(known.Pod, nil))
}

// SetNamespace adds or changes a namespace.
func (p *Planner) SetNamespace(name string, labels map[string]string) {
	if labels == nil {
		labels = map[string]string{}
	}
	p.relabel(p.namespace(name), labels)
}

// DeleteNamespace forgets the labels of a namespace; pods and policies go on their own.
func (p *Planner) DeleteNamespace(name string) {
	p.relabel(p.namespace(name), nil)
	p.forgetEmpty(name)
}

func (p *Planner) relabel(namespace *namespaceState, labels map[string]string) {
	before := namespace.labels
	if (before == nil) == (labels == nil) && maps.Equal(before, labels) {
		return
	}
	namespace.labels = labels
	for _, pod := range namespace.pods {
		for _, plane := range p.planes {
			plane.move(state{pod.Pod, before}, state{pod.Pod, labels}, (*setSource).hasNamespaceSelector)
		}
	}
}

// SetPolicy adds or changes a policy, and returns what of it had to be left out.
func (p *Planner) SetPolicy(policy *networkingv1.NetworkPolicy) []string {
	c := compile(policy)
	namespace := p.namespace(policy.Namespace)
	before := namespace.policies[policy.Name]
	namespace.policies[policy.Name] = c
	for _, direction := range Directions {
		p.chains[chainOfPolicy(direction, c.key)] = chainOwner{c, direction}
	}
	for _, direction := range Directions {
		for _, plane := range p.planes {
			plane.refresh(chainOfPolicy(direction, c.key))
		}
	}
	p.reselect(namespace, before, c)
	return c.problems
}

// DeletePolicy forgets a policy.
func (p *Planner) DeletePolicy(key Key) {
	namespace := p.namespace(key.Namespace)
	before := namespace.policies[key.Name]
	if before == nil {
		return
	}
	delete(namespace.policies, key.Name)
	p.reselect(namespace, before, nil)
	for _, direction := range Directions {
		delete(p.chains, chainOfPolicy(direction, key))
	}
	p.forgetEmpty(key.Namespace)
}

// reselect replaces a policy among those of the local pods of its namespace.
func (p *Planner) reselect(namespace *namespaceState, before, after *compiled) {
	for _, pod := range namespace.pods {
		if !pod.Local {
			continue
		}
		was := before != nil && slices.Contains(pod.selectedBy, before)
		if was {
			pod.selectedBy = slices.DeleteFunc(pod.selectedBy, func(c *compiled) bool { return c == before })
		}
		is := after != nil && after.pods.Matches(labels.Set(pod.Labels))
		if is {
			pod.selectedBy = append(pod.selectedBy, after)
		}
		if was || is {
			p.isolate(pod.Addresses)
		}
	}
}

func (p *Planner) namespace(name string) *namespaceState {
	known := p.namespaces[name]
	if known == nil {
		known = &namespaceState{pods: map[string]*podState{}, policies: map[string]*compiled{}}
		p.namespaces[name] = known
	}
	return known
}

func (p *Planner) forgetEmpty(name string) {
	known := p.namespaces[name]
	if known.labels == nil && len(known.pods)+len(known.policies) == 0 {
		delete(p.namespaces, name)
	}
}

func (p *Planner) policyRules(chain string, ipv4 bool) ([]Rule, []*setSource) {
	owner := p.chains[chain]
	return owner.policy.rules(owner.direction, ipv4)
}

func (p *Planner) eachPod(visit func(*Pod, map[string]string)) {
	for _, namespace := range p.namespaces {
		for _, pod := range namespace.pods {
			visit(pod.Pod, namespace.labels)
		}
	}
}
