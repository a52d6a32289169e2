package kernel

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
)

const theDefault = "0.0.0.0/0 via " + netnstest.RouterAddress

func hasDefault(node *netnstest.Namespace) bool {
	return slices.Contains(node.Routes(netnstest.Boot), theDefault)
}

// follow starts Watch and feeds the keeper until expected ends it.
func follow(t *testing.T, k *Kernel) (keeper *DefaultRoutes, next func(EventKind) Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan Event)
	finished := make(chan struct{})
	go func() {
		k.Watch(ctx, slog.New(slog.NewTextHandler(io.Discard, nil)), events)
		close(finished)
	}()
	t.Cleanup(func() { cancel(); <-finished })
	keeper = NewDefaultRoutes(k)
	next = func(kind EventKind) Event {
		t.Helper()
		deadline := time.After(2 * time.Second)
		for {
			select {
			case event := <-events:
				switch event.Kind {
				case Subscribed:
					if err := keeper.Learn(); err != nil {
						t.Fatal(err)
					}
				case DefaultAdded:
					keeper.Added(event.Route)
				case DefaultRemoved:
					keeper.Removed(event.Route)
				}
				if event.Kind == kind {
					return event
				}
			case <-deadline:
				t.Fatalf("no event of kind %d within 2 s", kind)
			}
		}
	}
	return keeper, next
}

func TestDefaultRouteReturnsWithItsLink(t *testing.T) {
	node, k := openNode(t)
	keeper, next := follow(t, k)
	next(Subscribed)

	node.Down("eth0")
	next(Changed)
	if hasDefault(node) {
		t.Fatal("the kernel kept the default route of a link that is down: this test proves nothing")
	}
	if restored, err := keeper.Restore(); restored != 0 || err != nil {
		t.Fatalf("restored %d routes over a link that is down, error %v", restored, err)
	}
	node.Up("eth0")
	next(Changed)
	if restored, err := keeper.Restore(); restored != 1 || err != nil {
		t.Fatalf("restored %d routes, error %v, want 1", restored, err)
	}
	if !hasDefault(node) {
		t.Fatalf("no default route: %q", node.Routes(netnstest.Boot))
	}
}

func TestDefaultRouteRemovedOnPurposeStaysAway(t *testing.T) {
	node, k := openNode(t)
	keeper, next := follow(t, k)
	next(Subscribed)
	removeDefault(t, node)
	next(DefaultRemoved)
	if restored, err := keeper.Restore(); restored != 0 || err != nil {
		t.Fatalf("restored %d routes that an administrator removed, error %v", restored, err)
	}
}

func TestDefaultRouteThatChangesIsFollowed(t *testing.T) {
	node, k := openNode(t)
	keeper, next := follow(t, k)
	next(Subscribed)
	removeDefault(t, node)
	next(DefaultRemoved)
	node.AddRoute("0.0.0.0/0", "172.30.0.254", "eth0")
	next(DefaultAdded)

	node.Down("eth0")
	node.Up("eth0")
	next(Changed)
	if _, err := keeper.Restore(); err != nil {
		t.Fatal(err)
	}
	if got := node.Routes(netnstest.Boot); !slices.Equal(got, []string{"0.0.0.0/0 via 172.30.0.254"}) {
		t.Fatalf("default routes %q, want only the new one", got)
	}
}

func TestWatchTellsOfALostRoute(t *testing.T) {
	node, k := openNode(t)
	_, next := follow(t, k)
	next(Subscribed)
	if _, err := k.SyncRoutes(nil); err != nil {
		t.Fatal(err)
	}
	desired := route("10.244.1.0/24", "172.30.0.12")
	if err := k.handle.RouteAdd(toNetlink(desired)); err != nil {
		t.Fatal(err)
	}
	if err := node.Links.RouteDel(toNetlink(desired)); err != nil {
		t.Fatal(err)
	}
	next(Changed)
}

func removeDefault(t *testing.T, node *netnstest.Namespace) {
	t.Helper()
	routes, err := node.Links.RouteList(node.Link("eth0"), netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range routes {
		if isDefaultV4(route) {
			if err := node.Links.RouteDel(&route); err != nil {
				t.Fatal(err)
			}
		}
	}
}
