package nodes

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/k8s-platform/images/node-network/internal/nodestest"
	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

func startSource(t *testing.T, address string, log io.Writer) *Source {
	t.Helper()
	client, host, err := NewClient(ClientOptions{Kubeconfig: nodestest.WriteKubeconfig(t, address)})
	if err != nil {
		t.Fatal(err)
	}
	source := NewSource(client, host, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan struct{})
	go func() { source.Run(ctx); close(finished) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-finished:
		case <-time.After(5 * time.Second):
			t.Error("Run goes on 5 s after the end of its context")
		}
	})
	return source
}

func serve(t *testing.T, listener net.Listener, server *nodestest.Server) *http.Server {
	t.Helper()
	web := &http.Server{Handler: server}
	go func() { _ = web.Serve(listener) }()
	t.Cleanup(func() { web.Close() })
	return web
}

// logLines is a log's output that a test can wait on; what no one waits for is dropped.
type logLines chan string

func (l logLines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

func (l logLines) await(t *testing.T, part string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, part) {
				return
			}
		case <-deadline:
			t.Fatalf("no log line says %q within 10 s", part)
		}
	}
}

func await(t *testing.T, source *Source, want string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		nodes, known := source.Nodes()
		got := describe(nodes)
		if known && got == want {
			return
		}
		select {
		case <-source.Changed():
		case <-deadline:
			t.Fatalf("nodes %q (known: %v), want %q", got, known, want)
		}
	}
}

func describe(nodes []plan.Node) string {
	var parts []string
	for _, node := range nodes {
		part := node.Name
		for _, cidr := range node.PodCIDRs {
			part += " " + cidr.String()
		}
		for _, address := range node.InternalIPs {
			part += " " + address.String()
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func TestSourceFollowsNodes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := nodestest.NewServer()
	server.Set("a", "10.244.0.0/24", "172.18.0.2")
	serve(t, listener, server)
	source := startSource(t, listener.Addr().String(), io.Discard)
	await(t, source, "a 10.244.0.0/24 172.18.0.2")
	server.Set("b", "", "172.18.0.3")
	await(t, source, "a 10.244.0.0/24 172.18.0.2, b 172.18.0.3")
	server.Set("b", "10.244.1.0/24", "172.18.0.3")
	await(t, source, "a 10.244.0.0/24 172.18.0.2, b 10.244.1.0/24 172.18.0.3")
	server.Set("b", "10.244.1.0/24", "172.18.0.9")
	await(t, source, "a 10.244.0.0/24 172.18.0.2, b 10.244.1.0/24 172.18.0.9")
	server.Delete("a")
	await(t, source, "b 10.244.1.0/24 172.18.0.9")
}

func TestSourceOutlivesAnAbsentAPIServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()

	lines := make(logLines, 16)
	source := startSource(t, address, lines)
	lines.await(t, "waiting for the API server to list the nodes")
	if _, known := source.Nodes(); known {
		t.Fatal("nodes are known without an API server")
	}
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server := nodestest.NewServer()
	server.Set("a", "10.244.0.0/24", "172.18.0.2")
	web := serve(t, listener, server)
	start := time.Now()
	await(t, source, "a 10.244.0.0/24 172.18.0.2")
	if waited := time.Since(start); waited > maxBackoff+time.Second {
		t.Errorf("known only %s after the API server came", waited)
	}

	// It goes away and comes back with other nodes: the old ones are kept in between.
	web.Close()
	if _, known := source.Nodes(); !known {
		t.Error("an outage made the nodes unknown")
	}
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server.Set("b", "10.244.1.0/24", "172.18.0.3")
	serve(t, listener, server)
	await(t, source, "a 10.244.0.0/24 172.18.0.2, b 10.244.1.0/24 172.18.0.3")
}

func TestFromAPI(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	node.Spec.PodCIDR = "10.244.1.7/24"
	node.Status.Addresses = []corev1.NodeAddress{
		{Type: corev1.NodeExternalIP, Address: "198.51.100.1"},
		{Type: corev1.NodeInternalIP, Address: "not an address"},
		{Type: corev1.NodeInternalIP, Address: "172.18.0.2"},
		{Type: corev1.NodeHostName, Address: "a"},
	}
	got, err := fromAPI(node)
	if err == nil || !strings.Contains(err.Error(), `node a: InternalIP "not an address"`) {
		t.Errorf("error %v", err)
	}
	if text := describe([]plan.Node{got}); text != "a 10.244.1.0/24 172.18.0.2" {
		t.Errorf("got %q", text)
	}
	if got.PodCIDRs[0] != netip.MustParsePrefix("10.244.1.0/24") {
		t.Errorf("podCIDR %s keeps host bits", got.PodCIDRs[0])
	}
}

func TestTrimKeepsWhatThePlanNeeds(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a", ResourceVersion: "7", Annotations: map[string]string{"large": "x"}}}
	node.Spec.PodCIDRs = []string{"10.244.1.0/24"}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.18.0.2"}}
	node.Status.Images = []corev1.ContainerImage{{Names: []string{"large"}}}
	before, _ := fromAPI(node)
	object, err := trim(node)
	if err != nil {
		t.Fatal(err)
	}
	trimmed := object.(*corev1.Node)
	if after, _ := fromAPI(trimmed); describe([]plan.Node{after}) != describe([]plan.Node{before}) {
		t.Errorf("the plan changes: %v, before %v", after, before)
	}
	if trimmed.Annotations != nil || trimmed.Status.Images != nil || trimmed.ResourceVersion != "7" {
		t.Errorf("kept too much or too little: %+v", trimmed)
	}
}
