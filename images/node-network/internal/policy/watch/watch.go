// Package watch follows the pods, namespaces and network policies of the cluster through the
// Kubernetes API and hands on what the planner needs of them. It keeps no object itself.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/org/k8s-platform/images/node-network/internal/nodes"
	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

// Receiver takes what is seen. Its methods may be called from several goroutines at once.
type Receiver interface {
	SetPod(pod *corev1.Pod)
	DeletePod(key policy.Key)
	SetNamespace(name string, labels map[string]string)
	DeleteNamespace(name string)
	SetPolicy(policy *networkingv1.NetworkPolicy)
	DeletePolicy(key policy.Key)
	// Listed is called once for each resource, after all its objects have been given.
	Listed(resource string)
	// Current is called whenever all of a resource has been given up to now: after each list and
	// when a watch opens.
	Current(resource string)
}

// Resources are what is followed, by the names that Listed gives.
var Resources = []string{"pods", "namespaces", "networkpolicies"}

const (
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 2 * time.Second
	repeatLog    = 10 * time.Second
)

// Source follows the three resources.
type Source struct {
	core, networking rest.Interface
	log              *slog.Logger
	known            map[string]*knowledge // by resource
}

// NewSource makes the API clients. It asks nothing yet.
func NewSource(options nodes.ClientOptions, log *slog.Logger) (*Source, error) {
	core, _, err := nodes.NewClient(options)
	if err != nil {
		return nil, err
	}
	networking, _, err := nodes.NewGroupClient(options, "/apis", networkingv1.SchemeGroupVersion, networkingv1.AddToScheme)
	if err != nil {
		return nil, err
	}
	known := map[string]*knowledge{}
	for _, resource := range Resources {
		known[resource] = &knowledge{}
	}
	return &Source{core: core, networking: networking, log: log, known: known}, nil
}

// NotCurrentSince is when all of a resource was known last; zero when it is now, and before the
// first list.
func (s *Source) NotCurrentSince(resource string) time.Time { return s.known[resource].since() }

// Run follows the cluster until ctx ends.
func (s *Source) Run(ctx context.Context, receiver Receiver) {
	feeds := []*feed{
		{
			resource: "pods", client: s.core, example: &corev1.Pod{},
			set:    func(object any) { receiver.SetPod(object.(*corev1.Pod)) },
			remove: receiver.DeletePod,
		},
		{
			resource: "namespaces", client: s.core, example: &corev1.Namespace{},
			set: func(object any) {
				namespace := object.(*corev1.Namespace)
				receiver.SetNamespace(namespace.Name, namespace.Labels)
			},
			remove: func(key policy.Key) { receiver.DeleteNamespace(key.Name) },
		},
		{
			resource: "networkpolicies", client: s.networking, example: &networkingv1.NetworkPolicy{},
			set:    func(object any) { receiver.SetPolicy(object.(*networkingv1.NetworkPolicy)) },
			remove: receiver.DeletePolicy,
		},
	}
	finished := make(chan struct{})
	for _, f := range feeds {
		f.listed, f.known = receiver.Listed, map[policy.Key]struct{}{}
		f.current, f.knowledge = receiver.Current, s.known[f.resource]
		go func() { s.follow(ctx, f); finished <- struct{}{} }()
	}
	for range feeds {
		<-finished
	}
}

// follow lists and watches again and again. The reflector's own back-off grows to half a
// minute, too long for a policy that waits for an API server which is back: so the reflector
// ends with each failure and is started anew.
func (s *Source) follow(ctx context.Context, f *feed) {
	lists := cache.NewListWatchFromClient(f.client, f.resource, metav1.NamespaceAll, fields.Everything())
	watches := lists.WatchFuncWithContext
	lists.WatchFuncWithContext = func(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
		stream, err := watches(ctx, options)
		if err != nil {
			return nil, errors.New(err.Error()) // as text, the reflector recognises nothing to wait for
		}
		defer f.current(f.resource)
		return f.knowledge.watched(stream), nil
	}
	reflector := cache.NewReflectorWithOptions(lists, f.example, f, cache.ReflectorOptions{Name: f.resource})
	backoff := firstBackoff
	var lastLog time.Time
	for ctx.Err() == nil {
		f.seen = false
		err := reflector.ListAndWatch(ctx.Done())
		if f.seen {
			backoff = firstBackoff
		}
		if err != nil && ctx.Err() == nil && time.Since(lastLog) >= repeatLog {
			lastLog = time.Now()
			s.log.Warn("cannot list "+f.resource+", trying again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// feed is the reflector's store: it hands on what it is given and remembers only names.
type feed struct {
	resource string
	client   rest.Interface
	example  runtime.Object
	set      func(object any)
	remove   func(key policy.Key)
	listed   func(resource string)
	current  func(resource string)

	knowledge *knowledge
	known     map[policy.Key]struct{}
	first     bool // the first list is complete
	seen      bool // something came since the last start
}

func keyOf(object any) policy.Key {
	meta := object.(metav1.Object)
	return policy.Key{Namespace: meta.GetNamespace(), Name: meta.GetName()}
}

func (f *feed) Add(object any) error {
	f.seen = true
	f.known[keyOf(object)] = struct{}{}
	f.set(object)
	return nil
}

func (f *feed) Update(object any) error { return f.Add(object) }

func (f *feed) Delete(object any) error {
	f.seen = true
	delete(f.known, keyOf(object))
	f.remove(keyOf(object))
	return nil
}

func (f *feed) Replace(objects []any, _ string) error {
	stale := f.known
	f.known = make(map[policy.Key]struct{}, len(objects))
	for _, object := range objects {
		delete(stale, keyOf(object))
		_ = f.Add(object)
	}
	for key := range stale {
		f.remove(key)
	}
	f.seen = true
	if !f.first {
		f.first = true
		f.listed(f.resource)
	}
	f.knowledge.listed()
	f.current(f.resource)
	return nil
}

func (f *feed) Resync() error { return nil }
