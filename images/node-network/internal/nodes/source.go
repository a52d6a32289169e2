package nodes

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

const (
	listTimeout  = 5 * time.Second
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 2 * time.Second
	repeatLog    = 10 * time.Second
)

// Source knows the cluster's nodes and tells when they change.
type Source struct {
	client rest.Interface
	host   string
	log    *slog.Logger

	mu      sync.Mutex
	known   bool
	nodes   []plan.Node
	changed chan struct{}
}

// NewSource returns a source that knows nothing until Run.
func NewSource(client rest.Interface, host string, log *slog.Logger) *Source {
	return &Source{client: client, host: host, log: log, changed: make(chan struct{}, 1)}
}

// Changed receives after the nodes changed; changes in quick succession are one.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Nodes returns the nodes last seen. It is false until the API server has answered once: an
// empty cluster and an unknown one must not be confused, or routes would be taken for stale.
func (s *Source) Nodes() ([]plan.Node, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes, s.known
}

// Run follows the nodes until ctx ends. It starts with one plain list, tried again at most
// every two seconds: an informer's own back-off grows to half a minute, too long for a node
// that boots before its API server.
func (s *Source) Run(ctx context.Context) {
	if !s.listFirst(ctx) {
		return
	}
	watch := cache.NewListWatchFromClient(s.client, "nodes", metav1.NamespaceAll, fields.Everything())
	informer := cache.NewSharedInformer(watch, &corev1.Node{}, 0)
	if err := informer.SetTransform(trim); err != nil {
		panic(err) // only possible after the start
	}
	publish := func() {
		if informer.HasSynced() {
			s.publish(informer.GetStore().List)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { publish() },
		UpdateFunc: func(any, any) { publish() },
		DeleteFunc: func(any) { publish() },
	})
	if err != nil {
		panic(err) // only possible after the stop
	}
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			publish()
		}
	}()
	informer.Run(ctx.Done())
}

func (s *Source) listFirst(ctx context.Context) bool {
	start := time.Now()
	backoff := firstBackoff
	var lastLog time.Time
	for {
		list, err := s.list(ctx)
		if err == nil {
			objects := make([]any, 0, len(list.Items))
			for i := range list.Items {
				objects = append(objects, &list.Items[i])
			}
			s.publish(func() []any { return objects })
			s.log.Info("API server answered", "server", s.host, "nodes", len(objects), "waited", time.Since(start).Round(time.Millisecond).String())
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if time.Since(lastLog) >= repeatLog {
			lastLog = time.Now()
			s.log.Warn("waiting for the API server to list the nodes", "server", s.host, "waited", time.Since(start).Round(time.Second).String(), "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

func (s *Source) list(ctx context.Context) (*corev1.NodeList, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list := &corev1.NodeList{}
	// Resource version 0 may be served from the API server's cache.
	err := s.client.Get().Resource("nodes").Param("resourceVersion", "0").Do(ctx).Into(list)
	return list, err
}

// publish takes over the nodes and signals, unless nothing the plan needs has changed. It
// reads them under the lock, so that of two callers none overwrites the newer state.
func (s *Source) publish(list func() []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	objects := list()
	nodes := make([]plan.Node, 0, len(objects))
	for _, object := range objects {
		node, ok := object.(*corev1.Node)
		if !ok {
			continue
		}
		converted, err := fromAPI(node)
		if err != nil {
			s.log.Error("node left out in part", "error", err)
		}
		nodes = append(nodes, converted)
	}
	plan.SortNodes(nodes)

	same := s.known && reflect.DeepEqual(s.nodes, nodes)
	s.nodes, s.known = nodes, true
	if same {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default: // a signal is already waiting
	}
}
