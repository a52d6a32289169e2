package enforce

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/org/k8s-platform/images/node-network/internal/nodes"
	"github.com/org/k8s-platform/images/node-network/internal/nodestest"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
	"github.com/org/k8s-platform/images/node-network/internal/policy/watch"
	"github.com/org/k8s-platform/images/node-network/internal/status"
)

// TestRunEndsWithTheSocketOfThePlugin has an agent that no pod could start with: it must end, to be
// started anew.
func TestRunEndsWithTheSocketOfThePlugin(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	// Nothing listens at this address: the kernel is not written to.
	source, err := watch.NewSource(nodes.ClientOptions{Kubeconfig: nodestest.WriteKubeconfig(t, "127.0.0.1:1")}, log)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	socket, err := gate.Listen(directory)
	if err != nil {
		t.Fatal(err)
	}
	e := New(Options{NodeName: "a", Resync: time.Hour, Namespace: netns.None(), RunDirectory: directory}, source, status.New(time.Now, status.NetworkPolicy), log)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(context.Background(), socket) }()
	socket.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended without an error")
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on without a socket")
	}
}
