package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/org/k8s-platform/images/node-network/internal/plan"
)

// Changes counts what SyncRoutes did.
type Changes struct {
	Added, Replaced, Removed int
}

// Any tells whether something was changed.
func (c Changes) Any() bool { return c.Added+c.Replaced+c.Removed > 0 }

// SyncRoutes makes the agent's routes in the main table equal to the desired ones. It changes
// only what differs, so traffic over a route that is already right is never interrupted. One
// route that fails does not keep the others from being set; all failures are returned joined.
func (k *Kernel) SyncRoutes(desired []plan.Route) (Changes, error) {
	var changes Changes
	existing, err := k.ownRoutes()
	if err != nil {
		return changes, err
	}
	var failures []error
	wanted := make(map[netip.Prefix]bool, len(desired))
	for _, route := range desired {
		wanted[route.Destination] = true
		present, known := existing[route.Destination]
		switch {
		case known && matches(present, route):
		case known:
			if err := k.handle.RouteReplace(toNetlink(route)); err != nil {
				failures = append(failures, fmt.Errorf("replace route %s: %w", route, err))
				continue
			}
			changes.Replaced++
		default:
			// Add, not replace: replace would take over a foreign route to this destination.
			if err := k.handle.RouteAdd(toNetlink(route)); err != nil {
				failures = append(failures, addError(route, err))
				continue
			}
			changes.Added++
		}
	}
	for destination, route := range existing {
		if wanted[destination] {
			continue
		}
		if err := k.handle.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
			failures = append(failures, fmt.Errorf("remove stale route to %s: %w", destination, err))
			continue
		}
		changes.Removed++
	}
	return changes, errors.Join(failures...)
}

func (k *Kernel) ownRoutes() (map[netip.Prefix]netlink.Route, error) {
	filter := &netlink.Route{Protocol: RouteProtocol, Table: unix.RT_TABLE_MAIN}
	list, err := dump(func() ([]netlink.Route, error) {
		return k.handle.RouteListFiltered(netlink.FAMILY_ALL, filter, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, fmt.Errorf("list routes of protocol %d: %w", RouteProtocol, err)
	}
	routes := make(map[netip.Prefix]netlink.Route, len(list))
	for _, route := range list {
		// A restored default route keeps its own protocol, so none of these is one.
		if destination, ok := toPrefix(route.Dst); ok {
			routes[destination] = route
		}
	}
	return routes, nil
}

func matches(present netlink.Route, desired plan.Route) bool {
	if !desired.Gateway.IsValid() {
		return present.Type == unix.RTN_UNREACHABLE
	}
	gateway, ok := toAddr(present.Gw)
	return ok && present.Type == unix.RTN_UNICAST && gateway == desired.Gateway
}

func toNetlink(route plan.Route) *netlink.Route {
	out := &netlink.Route{
		Dst:      toIPNet(route.Destination),
		Table:    unix.RT_TABLE_MAIN,
		Protocol: RouteProtocol,
	}
	if route.Gateway.IsValid() {
		// No link is named: the kernel picks the one the gateway is on, as it may change.
		out.Gw = route.Gateway.AsSlice()
		out.Type = unix.RTN_UNICAST
	} else {
		out.Type = unix.RTN_UNREACHABLE
	}
	return out
}

func addError(route plan.Route, err error) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("add route %s: another program holds a route to this destination; remove it with `ip route del %s`: %w",
			route, route.Destination, err)
	case errors.Is(err, unix.ENETUNREACH):
		return fmt.Errorf("add route %s: the gateway is on no connected network (link down, or the node is on another network): %w", route, err)
	}
	return fmt.Errorf("add route %s: %w", route, err)
}
