package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Patience is how long the agent keeps a pod waiting. The runtime tries again after a no.
const Patience = 10 * time.Second

// A socket on which accepting fails again and again, for about half a minute, is given up.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second
	mostFailures = 35
)

// Keeper decides; its methods may be called from several goroutines at once.
type Keeper interface {
	// Admit returns once the rules for the pod's addresses are in place.
	Admit(ctx context.Context, a Announcement) error
	// Dismiss is told that a container's addresses are free again.
	Dismiss(container string) error
}

// Listen makes the socket, replacing one that an agent before left behind.
func Listen(runDirectory string) (net.Listener, error) {
	path := filepath.Join(runDirectory, SocketName)
	if err := os.MkdirAll(runDirectory, 0o755); err != nil {
		return nil, fmt.Errorf("make the run directory (--run-directory): %w", err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("replace the socket of the CNI plugin: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the CNI plugin: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("listen for the CNI plugin: %w", err)
	}
	return listener, nil
}

// Serve answers requests until ctx ends. A failure to take one is tried again, as a node that runs
// out of file descriptors gets over it; only what does not pass is returned.
func Serve(ctx context.Context, listener net.Listener, keeper Keeper, log *slog.Logger) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	failures := 0
	for {
		connection, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				connection.Close()
			}
			return nil
		}
		if err != nil {
			failures++
			if errors.Is(err, net.ErrClosed) || failures > mostFailures {
				return fmt.Errorf("take requests of the CNI plugin: %w", err)
			}
			log.Error("cannot take a request of the CNI plugin, trying again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(min(firstBackoff<<(failures-1), maxBackoff)):
			}
			continue
		}
		failures = 0
		open.Add(1)
		go func() {
			defer open.Done()
			defer connection.Close()
			answer(ctx, connection, keeper, log)
		}()
	}
}

func answer(ctx context.Context, connection net.Conn, keeper Keeper, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	_ = connection.SetDeadline(time.Now().Add(Patience + time.Second))
	var request Request
	err := json.NewDecoder(connection).Decode(&request)
	if err == nil {
		switch request.Command {
		case Add:
			err = keeper.Admit(ctx, request.Announcement)
		case Delete:
			err = keeper.Dismiss(request.Container)
		default:
			err = fmt.Errorf("command %q is neither %s nor %s", request.Command, Add, Delete)
		}
	}
	var reply Reply
	if err != nil {
		log.Warn("a pod has to wait for its network policies", "command", request.Command, "pod", request.Namespace+"/"+request.Name, "error", err)
		reply.Error = err.Error()
	}
	_ = json.NewEncoder(connection).Encode(reply)
}
