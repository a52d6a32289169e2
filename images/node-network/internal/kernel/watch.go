package kernel

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// EventKind says what an Event is about.
type EventKind int

const (
	// Subscribed comes first, and again whenever events may have been missed.
	Subscribed EventKind = iota
	// Changed means that a link, an address or a route of this agent changed.
	Changed
	// DefaultAdded and DefaultRemoved carry an IPv4 default route.
	DefaultAdded
	DefaultRemoved
)

// Event is one change in the kernel that may matter to the agent.
type Event struct {
	Kind  EventKind
	Route netlink.Route
}

const (
	// receiveBuffer holds the burst of a node whose pods all start at once.
	receiveBuffer  = 1 << 20
	resubscribeGap = 500 * time.Millisecond
)

// Watch sends events until ctx ends. A subscription that breaks (its buffer overran) is
// renewed, announced by a Subscribed event.
func (k *Kernel) Watch(ctx context.Context, log *slog.Logger, events chan<- Event) {
	for ctx.Err() == nil {
		if err := k.watchOnce(ctx, events); err != nil && ctx.Err() == nil {
			log.Warn("subscription to kernel events broke, renewing it", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(resubscribeGap):
		}
	}
}

func (k *Kernel) watchOnce(ctx context.Context, events chan<- Event) error {
	done := make(chan struct{})
	defer close(done)
	broken := make(chan error, 3)
	onError := func(err error) {
		select {
		case broken <- err:
		default:
		}
	}

	routes := make(chan netlink.RouteUpdate, 64)
	links := make(chan netlink.LinkUpdate, 64)
	addresses := make(chan netlink.AddrUpdate, 64)
	// The library's goroutines block on these channels and look at done only between receives.
	defer func() { go drain(routes, links, addresses) }()

	if err := netlink.RouteSubscribeWithOptions(routes, done, netlink.RouteSubscribeOptions{
		Namespace: &k.namespace, ErrorCallback: onError, ReceiveBufferSize: receiveBuffer,
	}); err != nil {
		close(routes)
		close(links)
		close(addresses)
		return err
	}
	if err := netlink.LinkSubscribeWithOptions(links, done, netlink.LinkSubscribeOptions{
		Namespace: &k.namespace, ErrorCallback: onError, ReceiveBufferSize: receiveBuffer,
	}); err != nil {
		close(links)
		close(addresses)
		return err
	}
	if err := netlink.AddrSubscribeWithOptions(addresses, done, netlink.AddrSubscribeOptions{
		Namespace: &k.namespace, ErrorCallback: onError, ReceiveBufferSize: receiveBuffer,
	}); err != nil {
		close(addresses)
		return err
	}

	event := Event{Kind: Subscribed}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case events <- event:
		}
		var err error
		if event, err = nextEvent(ctx, routes, links, addresses, broken); err != nil {
			return err
		}
	}
}

func nextEvent(
	ctx context.Context,
	routes <-chan netlink.RouteUpdate, links <-chan netlink.LinkUpdate, addresses <-chan netlink.AddrUpdate,
	broken <-chan error,
) (Event, error) {
	closed := errors.New("subscription closed")
	for {
		select {
		case <-ctx.Done():
			return Event{}, ctx.Err()
		case err := <-broken:
			return Event{}, err
		case update, open := <-routes:
			if !open {
				return Event{}, closed
			}
			if event, relevant := routeEvent(update); relevant {
				return event, nil
			}
		case _, open := <-links:
			if !open {
				return Event{}, closed
			}
			return Event{Kind: Changed}, nil
		case _, open := <-addresses:
			if !open {
				return Event{}, closed
			}
			return Event{Kind: Changed}, nil
		}
	}
}

// routeEvent leaves out the routes of single pods and of the kernel itself.
func routeEvent(update netlink.RouteUpdate) (Event, bool) {
	removed := update.Type == unix.RTM_DELROUTE
	switch {
	case isKeepable(update.Route) && removed:
		return Event{Kind: DefaultRemoved, Route: update.Route}, true
	case isKeepable(update.Route):
		return Event{Kind: DefaultAdded, Route: update.Route}, true
	case update.Protocol == RouteProtocol && removed:
		return Event{Kind: Changed}, true
	}
	return Event{}, false
}

func drain(routes <-chan netlink.RouteUpdate, links <-chan netlink.LinkUpdate, addresses <-chan netlink.AddrUpdate) {
	go func() {
		for range links {
		}
	}()
	go func() {
		for range addresses {
		}
	}()
	for range routes {
	}
}
