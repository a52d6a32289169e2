// Package nodestest serves the part of the Kubernetes API that the agent uses, over real HTTP:
// list and watch of nodes.
package nodestest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Server is an http.Handler.
type Server struct {
	mu      sync.Mutex
	version int
	nodes   map[string]corev1.Node
	history []event
	news    chan struct{} // closed and renewed at every change
}

type event struct {
	version int
	Type    string      `json:"type"`
	Object  corev1.Node `json:"object"`
}

// NewServer returns a server without nodes.
func NewServer() *Server {
	return &Server{nodes: map[string]corev1.Node{}, news: make(chan struct{}), version: 1}
}

// Set adds or changes a node. An empty podCIDR or address is left out.
func (s *Server) Set(name, podCIDR, internalIP string) {
	node := corev1.Node{TypeMeta: metav1.TypeMeta{Kind: "Node", APIVersion: "v1"}}
	node.Name = name
	if podCIDR != "" {
		node.Spec.PodCIDR, node.Spec.PodCIDRs = podCIDR, []string{podCIDR}
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}}
	if internalIP != "" {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: internalIP})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "ADDED"
	if _, known := s.nodes[name]; known {
		kind = "MODIFIED"
	}
	s.record(kind, node)
	s.nodes[name] = s.history[len(s.history)-1].Object
}

// Delete removes a node.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record("DELETED", s.nodes[name])
	delete(s.nodes, name)
}

func (s *Server) record(kind string, node corev1.Node) {
	s.version++
	node.ResourceVersion = strconv.Itoa(s.version)
	s.history = append(s.history, event{version: s.version, Type: kind, Object: node})
	close(s.news)
	s.news = make(chan struct{})
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/v1/nodes" || r.Method != http.MethodGet {
		http.Error(w, "only nodes are served, list and watch", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") == "" {
		s.list(w)
		return
	}
	s.watch(w, r)
}

func (s *Server) list(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}}
	list.ResourceVersion = strconv.Itoa(s.version)
	for _, node := range s.nodes {
		list.Items = append(list.Items, node)
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	seen, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	encoder := json.NewEncoder(w)
	flusher := w.(http.Flusher)
	flusher.Flush()
	for {
		s.mu.Lock()
		var fresh []event
		for _, e := range s.history {
			if e.version > seen {
				fresh = append(fresh, e)
			}
		}
		news := s.news
		s.mu.Unlock()
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
