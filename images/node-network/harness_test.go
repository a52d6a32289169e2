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
	"strconv"
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
// that it is dropped.
func (c *testCluster) expect(what string, from *netnstest.Namespace, address, want string) {
	c.t.Helper()
	if want == "" {
		netnstest.Eventually(c.t, what, patience, func() string { return c.notDropped(from, address) })
		return
	}
	netnstest.Eventually(c.t, what, patience, func() string {
		seen, err := netnstest.Ask(from, address, quick)
		if err != nil || seen != want {
			return fmt.Sprintf("seen as %q, error %v", seen, err)
		}
		return ""
	})
}

// notDropped says why datagrams do not count as dropped: three in a row have to time out, and the
// server must answer its own node sooner than that in between, or the machine was only slow.
func (c *testCluster) notDropped(from *netnstest.Namespace, address string) string {
	near := c.lan.Router
	for prefix, node := range map[string]*netnstest.Namespace{"10.244.1.": c.a, "10.244.2.": c.b} {
		if strings.HasPrefix(address, prefix) {
			near = node
		}
	}
	for range 3 {
		seen, err := netnstest.Ask(from, address, quick)
		if err == nil {
			return "answered, seen as " + seen
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Sprintf("not dropped: %v", err)
		}
		if _, err := netnstest.Ask(near, address, quick); err != nil {
			return fmt.Sprintf("its own node gets no answer in that time either: %v", err)
		}
	}
	return ""
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

// start runs the agent in a node's namespace. Its CNI directory outlives it. Flags given count more than its own.
func start(t *testing.T, node *netnstest.Namespace, name, directory string, flags ...string) *program {
	t.Helper()
	p := &program{t: t, node: node, directory: directory, exited: make(chan error, 1)}
	p.command = exec.Command(os.Args[0], append([]string{"--node-name=" + name, "--pod-subnet=10.244.0.0/16",
		"--kubeconfig=" + nodestest.WriteKubeconfig(t, apiAddress), "--cni-directory=" + directory, "--run-directory=" + filepath.Join(directory, "run"), "--resync=1h"}, flags...)...)
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

// metric returns the value of a metric without labels.
func (p *program) metric(name string) float64 {
	p.t.Helper()
	_, body := p.get("/metrics")
	for _, line := range strings.Split(body, "\n") {
		if value, found := strings.CutPrefix(line, name+" "); found {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return number
		}
	}
	p.t.Fatalf("no metric %s in\n%s", name, body)
	return 0
}

func conflist(directory string) string {
	content, _ := os.ReadFile(filepath.Join(directory, cni.FileName))
	return string(content)
}

// expectAll22 is expectAll after node b has moved to 172.30.0.22.
func (c *testCluster) expectAll22() {
	c.t.Helper()
	c.expect("pod a to pod b", c.podA, "10.244.2.5", "10.244.1.5")
	c.expect("pod b to pod a", c.podB, "10.244.1.5", "10.244.2.5")
	c.expect("pod b to the outside", c.podB, netnstest.OutsideAddress, "172.30.0.22")
}
