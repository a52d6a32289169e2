package enforce

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/org/k8s-platform/images/node-network/internal/nodes"
	"github.com/org/k8s-platform/images/node-network/internal/nodestest"
	"github.com/org/k8s-platform/images/node-network/internal/policy"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
	"github.com/org/k8s-platform/images/node-network/internal/policy/watch"
	"github.com/org/k8s-platform/images/node-network/internal/status"
)

// TestRunEndsWithTheSocketOfThePlugin has an agent that no pod could start with: it must end, to be
// started anew.
func TestRunEndsWithTheSocketOfThePlugin(t *testing.T) {
	e, directory := newEnforcer(t)
	socket, err := gate.Listen(directory)
	if err != nil {
		t.Fatal(err)
	}
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

// TestAPodAnnouncedWhileTheAPITellsOfIt has a pod that is asked for again, as a runtime does that lost
// patience, while the API tells of it: both are noted, and the note that stays says both.
func TestAPodAnnouncedWhileTheAPITellsOfIt(t *testing.T) {
	e, directory := newEnforcer(t)
	var asking sync.WaitGroup
	for range 8 {
		asking.Add(1)
		go func() {
			defer asking.Done()
			for range 50 {
				announce(t, e)
			}
		}()
	}
	last := ""
	for i := range 200 {
		last = strconv.Itoa(i)
		(*receiver)(e).SetPod(late(last))
	}
	asking.Wait()
	notes, err := gate.NewNotes(directory).Load()
	if err != nil || len(notes) != 1 || !notes[0].Described || notes[0].Labels["v"] != last {
		t.Errorf("noted is %+v (%v), want the labels of the last version, %s", notes, err, last)
	}
	if err := e.Dismiss("c1"); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(directory, "pods")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestAPodAskedForAgainAfterItsRemoval has one that is gone from the API while its sandbox is there: it
// goes on to obey what was known of it, until the sandbox goes.
func TestAPodAskedForAgainAfterItsRemoval(t *testing.T) {
	e, directory := newEnforcer(t)
	announce(t, e)
	(*receiver)(e).SetPod(late("1"))
	(*receiver)(e).DeletePod(policy.Key{Namespace: "x", Name: "late"})
	announce(t, e)
	if a := e.announced["c1"]; !a.orphaned || a.Labels["v"] != "1" {
		t.Errorf("asked for again it is %+v, want an orphan with the labels it had", a)
	}
	notes, err := gate.NewNotes(directory).Load()
	if err != nil || len(notes) != 1 || !notes[0].Described {
		t.Errorf("noted is %+v (%v)", notes, err)
	}
	// Made anew under its name: another pod, of which nothing is known.
	other := announcement
	other.UID = "2"
	if err := e.Admit(impatient(), other); !errors.Is(err, context.Canceled) {
		t.Errorf("the answer is %v", err)
	}
	if a := e.announced["c1"]; a.orphaned || a.Described {
		t.Errorf("another pod is taken for the one before: %+v", a)
	}
}

var announcement = gate.Announcement{Container: "c1", Namespace: "x", Name: "late", UID: "1", Addresses: []netip.Addr{netip.MustParseAddr("10.244.1.9")}}

// newEnforcer has no API server and no kernel: nothing listens at its address, and nobody runs it.
func newEnforcer(t *testing.T) (*Enforcer, string) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	source, err := watch.NewSource(nodes.ClientOptions{Kubeconfig: nodestest.WriteKubeconfig(t, "127.0.0.1:1")}, log)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	return New(Options{NodeName: "a", Resync: time.Hour, Namespace: netns.None(), RunDirectory: directory}, source, status.New(time.Now, status.NetworkPolicy), log), directory
}

// impatient is over at once: nobody writes rules here, and a question ends with what it waits for.
func impatient() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func announce(t *testing.T, e *Enforcer) {
	if err := e.Admit(impatient(), announcement); !errors.Is(err, context.Canceled) {
		t.Errorf("the answer is %v", err)
	}
}

func late(label string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "late", UID: "1", Labels: map[string]string{"v": label}},
		Spec:       corev1.PodSpec{NodeName: "a"},
	}
}
