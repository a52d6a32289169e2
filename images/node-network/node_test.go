package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/cni"
	"github.com/org/k8s-platform/images/node-network/internal/kernel"
	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
	"github.com/org/k8s-platform/images/node-network/internal/nodestest"
)

// runVariable makes the test binary be the agent, so that the tests start, stop and kill the
// program itself.
const runVariable = "NODE_NETWORK_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const (
	apiAddress = netnstest.RouterAddress + ":8080"
	patience   = 10 * time.Second
	quick      = 200 * time.Millisecond
)

// testCluster is nodes a and b with a pod each, an API server on the router, and an echo on
// every pod and outside.
type testCluster struct {
	t          *testing.T
	api        *nodestest.Server
	lan        *netnstest.LAN
	a, b       *netnstest.Namespace
	podA, podB *netnstest.Namespace
}

func newCluster(t *testing.T) *testCluster {
	t.Helper()
	lan := netnstest.NewLAN(t)
	c := &testCluster{t: t, api: nodestest.NewServer(), lan: lan, a: lan.AddNode("a", "172.30.0.11"), b: lan.AddNode("b", "172.30.0.12")}
	c.podA, c.podB = netnstest.AddPod(t, c.a, "10.244.1.5"), netnstest.AddPod(t, c.b, "10.244.2.5")
	netnstest.Echo(t, c.podA, "10.244.1.5")
	netnstest.Echo(t, c.podB, "10.244.2.5")
	netnstest.Echo(t, lan.Router, netnstest.OutsideAddress)
	c.api.Set("a", "10.244.1.0/24", "172.30.0.11")
	c.api.Set("b", "10.244.2.0/24", "172.30.0.12")
	return c
}

// serveAPI starts the API server.
func (c *testCluster) serveAPI() {
	c.t.Helper()
	var listener net.Listener
	c.lan.Router.Run(func() (err error) {
		listener, err = net.Listen("tcp", apiAddress)
		return err
	})
	web := &http.Server{Handler: c.api}
	go func() { _ = web.Serve(listener) }()
	c.t.Cleanup(func() { web.Close() })
}

// expect waits until a datagram from a pod is seen as want at address; an empty want means
// that no answer may come.
func (c *testCluster) expect(what string, from *netnstest.Namespace, address, want string) {
	c.t.Helper()
	netnstest.Eventually(c.t, what, patience, func() string {
		seen, err := netnstest.Ask(from, address, quick)
		if want == "" && err == nil {
			return "answered"
		}
		if want != "" && (err != nil || seen != want) {
			return fmt.Sprintf("seen as %q, error %v", seen, err)
		}
		return ""
	})
}

// expectAll checks both directions between the pods and both ways out.
func (c *testCluster) expectAll() {
	c.t.Helper()
	c.expect("pod a to pod b", c.podA, "10.244.2.5", "10.244.1.5")
	c.expect("pod b to pod a", c.podB, "10.244.1.5", "10.244.2.5")
	c.expect("pod a to the outside", c.podA, netnstest.OutsideAddress, "172.30.0.11")
	c.expect("pod b to the outside", c.podB, netnstest.OutsideAddress, "172.30.0.12")
}

func expectRoutes(t *testing.T, node *netnstest.Namespace, want ...string) {
	t.Helper()
	netnstest.Eventually(t, "routes of the agent", patience, func() string {
		if got := node.Routes(kernel.RouteProtocol); !slices.Equal(got, want) {
			return fmt.Sprintf("got %q, want %q", got, want)
		}
		return ""
	})
}

// program is one running agent.
type program struct {
	t         *testing.T
	node      *netnstest.Namespace
	command   *exec.Cmd
	directory string
	exited    chan error

	mu  sync.Mutex
	log []string
}

// start runs the agent in a node's namespace. Its CNI directory outlives it.
func start(t *testing.T, node *netnstest.Namespace, name, directory string) *program {
	t.Helper()
	p := &program{t: t, node: node, directory: directory, exited: make(chan error, 1)}
	p.command = exec.Command(os.Args[0], "--node-name="+name, "--pod-subnet=10.244.0.0/16",
		"--kubeconfig="+nodestest.WriteKubeconfig(t, apiAddress), "--cni-directory="+directory, "--resync=1h")
	p.command.Env = append(os.Environ(), runVariable+"=1")
	stderr, err := p.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	node.Run(p.command.Start)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.mu.Lock()
			p.log = append(p.log, lines.Text())
			p.mu.Unlock()
		}
	}()
	go func() { <-drained; p.exited <- p.command.Wait() }()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		if t.Failed() {
			t.Logf("log of agent %s:\n%s", name, p.logs())
		}
	})
	return p
}

func (p *program) logs() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

// end sends a signal and waits for the exit.
func (p *program) end(signal syscall.Signal) error {
	p.t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.exited:
		return err
	case <-time.After(5 * time.Second):
		p.t.Fatalf("the agent runs 5 s after %s", signal)
		return nil
	}
}

// get requests a path of the status server, from inside the node.
func (p *program) get(path string) (code int, body string) {
	err := p.node.Try(func() error {
		connection, err := net.DialTimeout("tcp", "127.0.0.1:10271", time.Second)
		if err != nil {
			return err
		}
		defer connection.Close()
		fmt.Fprintf(connection, "GET %s HTTP/1.0\r\n\r\n", path)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			return err
		}
		content, err := io.ReadAll(response.Body)
		code, body = response.StatusCode, string(content)
		return err
	})
	if err != nil {
		return 0, err.Error()
	}
	return code, body
}

func (p *program) expectStatus(path string, code int, part string) {
	p.t.Helper()
	netnstest.Eventually(p.t, path, patience, func() string {
		gotCode, body := p.get(path)
		if gotCode != code || !strings.Contains(body, part) {
			return fmt.Sprintf("%d %q, want %d %q", gotCode, body, code, part)
		}
		return ""
	})
}

func conflist(directory string) string {
	content, _ := os.ReadFile(filepath.Join(directory, cni.FileName))
	return string(content)
}

func TestTwoNodesConnectTheirPods(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	// The premise: without the agents nothing of this works.
	for _, address := range []string{"10.244.2.5", netnstest.OutsideAddress} {
		if seen, err := netnstest.Ask(c.podA, address, quick); err == nil {
			t.Fatalf("%s answers without an agent, seen as %s", address, seen)
		}
	}
	a, b := start(t, c.a, "a", t.TempDir()), start(t, c.b, "b", t.TempDir())
	c.expectAll()
	for _, p := range []*program{a, b} {
		p.expectStatus("/healthz", 200, "ok")
		p.expectStatus("/readyz", 200, "ok")
		p.expectStatus("/metrics", 200, "node_network_ready 1\n")
	}
	if content := conflist(a.directory); !strings.Contains(content, `"subnet": "10.244.1.0/24"`) || !strings.Contains(content, `"mtu": 1500`) {
		t.Errorf("CNI configuration:\n%s", content)
	}
}

func TestAddressesWithoutPodAreRefusedAtOnce(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	start(t, c.a, "a", t.TempDir())
	start(t, c.b, "b", t.TempDir())
	c.expectAll()
	for what, address := range map[string]string{
		"no such pod on this node":    "10.244.1.77",
		"no such pod on another node": "10.244.2.77",
		"no such node":                "10.244.99.1",
	} {
		begin := time.Now()
		err := c.podA.Try(func() error {
			connection, err := net.DialTimeout("tcp", address+":80", patience)
			if err == nil {
				connection.Close()
			}
			return err
		})
		if !errors.Is(err, syscall.EHOSTUNREACH) || time.Since(begin) > time.Second {
			t.Errorf("%s: error %v after %s, want no route to host at once", what, err, time.Since(begin))
		}
	}
}

func TestNodesComeGoAndChangeAddress(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	start(t, c.a, "a", t.TempDir())
	own := []string{"unreachable 10.244.0.0/16", "unreachable 10.244.1.0/24"}
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12")...)

	c.api.Set("c", "10.244.3.0/24", "172.30.0.13")
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12", "10.244.3.0/24 via 172.30.0.13")...)

	start(t, c.b, "b", t.TempDir())
	c.expect("pod a to pod b", c.podA, "10.244.2.5", "10.244.1.5")
	c.b.RemoveAddress("eth0", "172.30.0.12/24")
	c.b.AddAddress("eth0", "172.30.0.22/24")
	c.api.Set("b", "10.244.2.0/24", "172.30.0.22")
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.22", "10.244.3.0/24 via 172.30.0.13")...)
	c.expectAll22()

	c.api.Delete("c")
	c.api.Delete("b")
	expectRoutes(t, c.a, own...)
	c.expect("a pod of a node that is gone", c.podA, "10.244.2.5", "")
}

// expectAll22 is expectAll after node b has moved to 172.30.0.22.
func (c *testCluster) expectAll22() {
	c.t.Helper()
	c.expect("pod a to pod b", c.podA, "10.244.2.5", "10.244.1.5")
	c.expect("pod b to pod a", c.podB, "10.244.1.5", "10.244.2.5")
	c.expect("pod b to the outside", c.podB, netnstest.OutsideAddress, "172.30.0.22")
}

func TestLinkFlapIsRepaired(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	a := start(t, c.a, "a", t.TempDir())
	start(t, c.b, "b", t.TempDir())
	c.expectAll()

	c.a.Down("eth0")
	c.expect("a pod over a link that is down", c.podA, "10.244.2.5", "")
	if routes := c.a.Routes(kernel.RouteProtocol); slices.Contains(routes, "10.244.2.0/24 via 172.30.0.12") {
		t.Fatalf("the kernel kept the route of a link that is down: %q", routes)
	}
	a.expectStatus("/readyz", 503, "10.244.2.0/24 via 172.30.0.12: the gateway is on no connected network")
	a.expectStatus("/healthz", 200, "ok")
	c.a.Up("eth0")
	start := time.Now()
	c.expectAll()
	t.Logf("everything reachable %s after the link came back", time.Since(start).Round(time.Millisecond))
	a.expectStatus("/readyz", 200, "ok")
	a.expectStatus("/metrics", 200, "node_network_default_routes_restored_total 1\n")
}

func TestRestartOfTheAgentIsNotNoticed(t *testing.T) {
	const restarts = 10
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			c := newCluster(t)
			c.serveAPI()
			directory := t.TempDir()
			first := start(t, c.a, "a", directory)
			start(t, c.b, "b", t.TempDir())
			c.expectAll()
			first.expectStatus("/readyz", 200, "ok")
			before := conflist(directory)

			streams := map[string]*netnstest.Stream{
				"pod to pod":         netnstest.StartStream(c.podA, "10.244.2.5", "10.244.1.5"),
				"pod to the outside": netnstest.StartStream(c.podA, netnstest.OutsideAddress, "172.30.0.11"),
			}
			running := first
			for range restarts {
				if err := running.end(signal); signal == syscall.SIGTERM && err != nil {
					t.Errorf("exit after SIGTERM: %v", err)
				}
				if conflist(directory) != before {
					t.Error("the CNI configuration went with the agent")
				}
				running = start(t, c.a, "a", directory)
				running.expectStatus("/readyz", 200, "ok")
				running.expectStatus("/metrics", 200, `node_network_route_changes_total{operation="add"} 0`+"\n")
			}
			for what, stream := range streams {
				stream.Stop()
				if len(stream.Failures) > 0 || stream.Sent < 3*restarts {
					t.Errorf("%s: %d of %d requests failed, first %q", what, len(stream.Failures), stream.Sent, stream.Failures[:min(1, len(stream.Failures))])
				}
				t.Logf("%s: %d requests over %d restarts", what, stream.Sent, restarts)
			}
		})
	}
}

func TestChangesWhileNoAgentRuns(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	directory := t.TempDir()
	first := start(t, c.a, "a", directory)
	c.api.Set("c", "10.244.3.0/24", "172.30.0.13")
	own := []string{"unreachable 10.244.0.0/16", "unreachable 10.244.1.0/24"}
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12", "10.244.3.0/24 via 172.30.0.13")...)
	if err := first.end(syscall.SIGKILL); err == nil {
		t.Fatal("a killed agent ended without error")
	}
	c.api.Delete("c")
	c.api.Set("d", "10.244.4.0/24", "172.30.0.14")
	start(t, c.a, "a", directory)
	expectRoutes(t, c.a, append(own, "10.244.2.0/24 via 172.30.0.12", "10.244.4.0/24 via 172.30.0.14")...)
}

func TestStartsBeforeTheAPIServerAndBeforeItsPodCIDR(t *testing.T) {
	c := newCluster(t)
	c.api.Set("a", "", "172.30.0.11")
	a := start(t, c.a, "a", t.TempDir())
	a.expectStatus("/readyz", 503, "waiting for the API server to list the nodes")
	a.expectStatus("/healthz", 200, "ok")

	// The way to the API server may need the default route: it is kept without one.
	c.a.Down("eth0")
	c.a.Up("eth0")
	netnstest.Eventually(t, "default route", patience, func() string {
		if routes := c.a.Routes(netnstest.Boot); !slices.Contains(routes, "0.0.0.0/0 via "+netnstest.RouterAddress) {
			return fmt.Sprintf("%q", routes)
		}
		return ""
	})

	c.serveAPI()
	a.expectStatus("/readyz", 503, "waiting for the API to give node a a podCIDR")
	if content := conflist(a.directory); content != "" {
		t.Errorf("CNI configuration without a podCIDR:\n%s", content)
	}
	expectRoutes(t, c.a, "unreachable 10.244.0.0/16", "10.244.2.0/24 via 172.30.0.12")
	c.api.Set("a", "10.244.1.0/24", "172.30.0.11")
	a.expectStatus("/readyz", 200, "ok")
	if content := conflist(a.directory); !strings.Contains(content, `"subnet": "10.244.1.0/24"`) {
		t.Errorf("CNI configuration:\n%s", content)
	}
	if !strings.Contains(a.logs(), "waiting for the API server to list the nodes") {
		t.Errorf("the log does not say what the agent waited for:\n%s", a.logs())
	}
}

func TestAnotherProgramsRemovalIsRepaired(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	start(t, c.a, "a", t.TempDir())
	want := []string{"unreachable 10.244.0.0/16", "unreachable 10.244.1.0/24", "10.244.2.0/24 via 172.30.0.12"}
	expectRoutes(t, c.a, want...)
	c.a.FlushRoutes(kernel.RouteProtocol)
	expectRoutes(t, c.a, want...)
}

func TestDeletedNodeObjectKeepsItsPodsConnected(t *testing.T) {
	c := newCluster(t)
	c.serveAPI()
	a := start(t, c.a, "a", t.TempDir())
	start(t, c.b, "b", t.TempDir())
	c.expectAll()
	c.api.Delete("a")
	a.expectStatus("/readyz", 503, "waiting for the API to give node a a podCIDR")
	if conflist(a.directory) == "" {
		t.Error("the CNI configuration was removed")
	}
	c.expect("pod a to the outside", c.podA, netnstest.OutsideAddress, "172.30.0.11")
}
