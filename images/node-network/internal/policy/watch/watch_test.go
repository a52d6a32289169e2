package watch

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/nodes"
	"github.com/org/k8s-platform/images/node-network/internal/nodestest"
	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

func TestPod(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "a", Labels: map[string]string{"app": "a"}}}
		p.Spec.NodeName = "here"
		p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{
			{Name: "web", ContainerPort: 80}, {Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP}, {ContainerPort: 99},
		}}}
		p.Status.Phase = corev1.PodRunning
		p.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.1"}, {IP: "fd00::1"}}
		change(p)
		return p
	}
	web := policy.NamedPort{Name: "web", Protocol: policy.TCP, Number: 80}
	dns := policy.NamedPort{Name: "dns", Protocol: policy.UDP, Number: 53}
	for _, c := range []struct {
		what   string
		change func(*corev1.Pod)
		want   string
	}{
		{"a running pod", func(*corev1.Pod) {}, fmt.Sprint(true, []string{"10.0.0.1", "fd00::1"}, []policy.NamedPort{web, dns})},
		{"on another node", func(p *corev1.Pod) { p.Spec.NodeName = "there" }, fmt.Sprint(false, []string{"10.0.0.1", "fd00::1"}, []policy.NamedPort{web, dns})},
		{"in its node's network", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, fmt.Sprint(true, []string{}, []policy.NamedPort{})},
		{"that succeeded", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, fmt.Sprint(true, []string{}, []policy.NamedPort{})},
		{"that failed", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, fmt.Sprint(true, []string{}, []policy.NamedPort{})},
		{"that is being deleted", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }, fmt.Sprint(true, []string{"10.0.0.1", "fd00::1"}, []policy.NamedPort{web, dns})},
		{"with a sidecar", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{
				{Ports: []corev1.ContainerPort{{Name: "once", ContainerPort: 1}}},
				{RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 2}}},
			}
		}, fmt.Sprint(true, []string{"10.0.0.1", "fd00::1"}, []policy.NamedPort{web, dns, {Name: "proxy", Protocol: policy.TCP, Number: 2}})},
	} {
		got := Pod(pod(c.change), "here")
		if text := fmt.Sprint(got.Local, got.Addresses, got.Ports); text != c.want || got.Labels["app"] != "a" {
			t.Errorf("%s: %s, want %s", c.what, text, c.want)
		}
	}
}

// recorder keeps what a receiver was told last.
type recorder struct {
	mu     sync.Mutex
	state  map[string]string
	listed map[string]int
}

func (r *recorder) note(key, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if value == "" {
		delete(r.state, key)
	} else {
		r.state[key] = value
	}
}

func (r *recorder) SetPod(pod *corev1.Pod)      { r.note("pod "+pod.Name, pod.Labels["v"]) }
func (r *recorder) DeletePod(key policy.Key)    { r.note("pod "+key.Name, "") }
func (r *recorder) DeleteNamespace(name string) { r.note("namespace "+name, "") }
func (r *recorder) SetNamespace(name string, labels map[string]string) {
	r.note("namespace "+name, labels["v"])
}
func (r *recorder) SetPolicy(p *networkingv1.NetworkPolicy) { r.note("policy "+p.Name, p.Labels["v"]) }
func (r *recorder) DeletePolicy(key policy.Key)             { r.note("policy "+key.Name, "") }
func (r *recorder) Listed(resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed[resource]++
}

func (r *recorder) Current(string) {}

func (r *recorder) await(t *testing.T, want map[string]string) {
	t.Helper()
	netnstest.Eventually(t, "objects", 10*time.Second, func() string {
		r.mu.Lock()
		defer r.mu.Unlock()
		if fmt.Sprint(r.state) != fmt.Sprint(want) || len(r.listed) != len(Resources) {
			return fmt.Sprintf("%v, listed %v, want %v", r.state, r.listed, want)
		}
		return ""
	})
}

func meta(name, version string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "x", Name: name, Labels: map[string]string{"v": version}}
}

func TestSourceFollowsTheClusterAndOutlivesTheAPIServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	api := nodestest.NewServer()
	api.Put(&corev1.Pod{ObjectMeta: meta("a", "1")})
	api.Put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{"v": "1"}}})
	api.Put(&networkingv1.NetworkPolicy{ObjectMeta: meta("p", "1")})
	server := &http.Server{Handler: api}
	go func() { _ = server.Serve(listener) }()

	source, err := NewSource(nodes.ClientOptions{Kubeconfig: nodestest.WriteKubeconfig(t, address)}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{state: map[string]string{}, listed: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan struct{})
	go func() { source.Run(ctx, r); close(finished) }()
	t.Cleanup(func() { cancel(); <-finished })

	r.await(t, map[string]string{"pod a": "1", "namespace x": "1", "policy p": "1"})
	api.Put(&corev1.Pod{ObjectMeta: meta("a", "2")})
	api.Remove("networkpolicies", "x/p")
	r.await(t, map[string]string{"pod a": "2", "namespace x": "1"})

	server.Close()
	api.Remove("pods", "x/a")
	api.Put(&corev1.Pod{ObjectMeta: meta("b", "3")})
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server = &http.Server{Handler: api}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	begin := time.Now()
	r.await(t, map[string]string{"pod b": "3", "namespace x": "1"})
	if waited := time.Since(begin); waited > maxBackoff+2*time.Second {
		t.Errorf("followed only %s after the API server was back", waited)
	}
	for resource, times := range r.listed {
		if times != 1 {
			t.Errorf("%s listed %d times", resource, times)
		}
	}
}
