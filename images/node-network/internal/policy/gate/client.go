package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// ErrNoAgent means that no agent listens.
var ErrNoAgent = errors.New("the node's network agent does not answer")

// retryAfter is how soon a socket without a listener is tried again: an agent that restarts is
// back within a second.
const retryAfter = 50 * time.Millisecond

// Ask sends a request and waits for the answer, for an agent that is not there until ctx ends.
func Ask(ctx context.Context, runDirectory string, request Request) error {
	for {
		err := ask(ctx, runDirectory, request)
		if !errors.Is(err, ErrNoAgent) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryAfter):
		}
	}
}

// AskOnce is Ask for an agent that is there.
func AskOnce(ctx context.Context, runDirectory string, request Request) error {
	return ask(ctx, runDirectory, request)
}

func ask(ctx context.Context, runDirectory string, request Request) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", filepath.Join(runDirectory, SocketName))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	defer connection.Close()
	if deadline, set := ctx.Deadline(); set {
		_ = connection.SetDeadline(deadline)
	}
	if err := json.NewEncoder(connection).Encode(request); err != nil {
		return fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	var reply Reply
	if err := json.NewDecoder(connection).Decode(&reply); err != nil {
		return fmt.Errorf("%w: it ended while asked: %w", ErrNoAgent, err)
	}
	if reply.Error != "" {
		return errors.New(reply.Error)
	}
	return nil
}
