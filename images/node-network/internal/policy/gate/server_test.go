package gate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// failing is a listener whose first Accepts fail.
type failing struct {
	net.Listener
	failures int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

type yes struct{}

func (yes) Admit(context.Context, Announcement) error { return nil }
func (yes) Dismiss(string) error                      { return nil }

func TestServeOutlivesFailuresToAccept(t *testing.T) {
	directory := t.TempDir()
	listener, err := Listen(directory)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, &failing{listener, 3}, yes{}, silent) }()
	patience, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	if err := Ask(patience, directory, Request{Command: Add, Announcement: Announcement{Container: "c"}}); err != nil {
		t.Errorf("after three failures: %v", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("at its end: %v", err)
	}
}

func TestServeGivesUpASocketThatIsClosed(t *testing.T) {
	listener, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	served := make(chan error, 1)
	go func() { served <- Serve(context.Background(), listener, yes{}, silent) }()
	select {
	case err := <-served:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("still serving")
	}
}
