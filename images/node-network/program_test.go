package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/cni"
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
