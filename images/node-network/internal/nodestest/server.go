// Package nodestest serves the part of the Kubernetes API that the agent uses, over real HTTP:
// list and watch of nodes, pods, namespaces and network policies.
package nodestest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Server is an http.Handler.
type Server struct {
	mu      sync.Mutex
	version int
	objects map[string]map[string]metav1.Object // by resource and namespace/name
	history []event
	news    chan struct{}   // closed and renewed at every change
	denied  map[string]bool // by resource
}

type event struct {
	version  int
	resource string
	Type     string        `json:"type"`
	Object   metav1.Object `json:"object"`
}

// kinds are the kinds of the lists served, by path.
var kinds = map[string][2]string{
	"/api/v1/nodes":      {"nodes", "NodeList"},
	"/api/v1/pods":       {"pods", "PodList"},
	"/api/v1/namespaces": {"namespaces", "NamespaceList"},
	"/apis/networking.k8s.io/v1/networkpolicies": {"networkpolicies", "NetworkPolicyList"},
}

// NewServer returns a server without objects.
func NewServer() *Server {
	s := &Server{objects: map[string]map[string]metav1.Object{}, news: make(chan struct{}), denied: map[string]bool{}, version: 1}
	for _, kind := range kinds {
		s.objects[kind[0]] = map[string]metav1.Object{}
	}
	return s
}

// Set adds or changes a node. An empty podCIDR or address is left out.
func (s *Server) Set(name, podCIDR, internalIP string) {
	node := &corev1.Node{}
	node.Name = name
	if podCIDR != "" {
		node.Spec.PodCIDR, node.Spec.PodCIDRs = podCIDR, []string{podCIDR}
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}}
	if internalIP != "" {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: internalIP})
	}
	s.Put(node)
}

// Delete removes a node.
func (s *Server) Delete(name string) { s.Remove("nodes", name) }

// Put adds or changes an object. The server keeps a copy.
func (s *Server) Put(object metav1.Object) {
	resource := ""
	switch o := object.(type) {
	case *corev1.Node:
		o.TypeMeta = metav1.TypeMeta{Kind: "Node", APIVersion: "v1"}
		resource = "nodes"
	case *corev1.Pod:
		o.TypeMeta = metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}
		resource = "pods"
	case *corev1.Namespace:
		o.TypeMeta = metav1.TypeMeta{Kind: "Namespace", APIVersion: "v1"}
		resource = "namespaces"
	case *networkingv1.NetworkPolicy:
		o.TypeMeta = metav1.TypeMeta{Kind: "NetworkPolicy", APIVersion: "networking.k8s.io/v1"}
		resource = "networkpolicies"
	default:
		panic(fmt.Sprintf("%T is not served", object))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/")
	kind := "ADDED"
	if _, known := s.objects[resource][key]; known {
		kind = "MODIFIED"
	}
	s.objects[resource][key] = s.record(resource, kind, object)
}

// Remove removes an object by its resource and its name, with the namespace in front if it has one.
func (s *Server) Remove(resource, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(resource, "DELETED", s.objects[resource][key])
	delete(s.objects[resource], key)
}

// Deny makes lists and watches of a resource end, with 403, until it is called with false.
func (s *Server) Deny(resource string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[resource] = denied
	close(s.news)
	s.news = make(chan struct{})
}

func (s *Server) isDenied(resource string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.denied[resource]
}

func (s *Server) record(resource, kind string, object metav1.Object) metav1.Object {
	s.version++
	object = object.(runtime.Object).DeepCopyObject().(metav1.Object)
	object.SetResourceVersion(strconv.Itoa(s.version))
	s.history = append(s.history, event{version: s.version, resource: resource, Type: kind, Object: object})
	close(s.news)
	s.news = make(chan struct{})
	return object
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, served := kinds[r.URL.Path]
	if !served || r.Method != http.MethodGet {
		http.Error(w, "only list and watch of what the agent follows are served", http.StatusNotFound)
		return
	}
	if s.isDenied(kind[0]) {
		http.Error(w, kind[0]+" is forbidden", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") == "" {
		s.list(w, strings.TrimSuffix(strings.TrimSuffix(r.URL.Path, kind[0]), "/"), kind)
		return
	}
	s.watch(w, r, kind[0])
}

func (s *Server) list(w http.ResponseWriter, group string, kind [2]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []metav1.Object{}
	for _, object := range s.objects[kind[0]] {
		items = append(items, object)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": kind[1], "apiVersion": strings.TrimPrefix(strings.TrimPrefix(group, "/apis/"), "/api/"),
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(s.version)}, "items": items,
	})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource string) {
	seen, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	encoder := json.NewEncoder(w)
	flusher := w.(http.Flusher)
	flusher.Flush()
	for {
		s.mu.Lock()
		var fresh []event
		for _, e := range s.history {
			if e.version > seen && e.resource == resource {
				fresh = append(fresh, e)
			}
		}
		news, denied := s.news, s.denied[resource]
		s.mu.Unlock()
		if denied {
			return
		}
		for _, e := range fresh {
			seen = e.version
			if encoder.Encode(e) != nil {
				return
			}
		}
		flusher.Flush()
		select {
		case <-r.Context().Done():
			return
		case <-news:
		}
	}
}

// WriteKubeconfig writes a kubeconfig without credentials for the server at host:port and
// returns its path.
func WriteKubeconfig(t testing.TB, address string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"t",
"clusters":[{"name":"t","cluster":{"server":"http://%s"}}],
"contexts":[{"name":"t","context":{"cluster":"t","user":""}}]}`, address)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
