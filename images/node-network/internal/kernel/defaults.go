package kernel

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// DefaultRoutes keeps the IPv4 default routes that the kernel drops without notice when their
// link goes down, and puts them back once the link is up. Routes removed on purpose, while the
// link is up, are forgotten. IPv6 is left out: there the kernel drops the addresses of the link
// as well, and who owns those is not this agent's to guess.
//
// It is not safe for concurrent use.
type DefaultRoutes struct {
	kernel *Kernel
	known  map[defaultKey]knownDefault
}

type defaultKey struct{ metric, tos int }

type knownDefault struct {
	route    netlink.Route
	linkName string // the link index changes when a link is made anew
}

// NewDefaultRoutes returns a keeper that knows no routes yet.
func NewDefaultRoutes(kernel *Kernel) *DefaultRoutes {
	return &DefaultRoutes{kernel: kernel, known: map[defaultKey]knownDefault{}}
}

// Learn remembers all default routes that are present.
func (d *DefaultRoutes) Learn() error {
	routes, err := d.kernel.listDefaultRoutes()
	if err != nil {
		return err
	}
	for _, route := range routes {
		d.Added(route)
	}
	return nil
}

// Added remembers a default route that has appeared.
func (d *DefaultRoutes) Added(route netlink.Route) {
	if !isKeepable(route) {
		return
	}
	link, err := d.kernel.handle.LinkByIndex(route.LinkIndex)
	if err != nil {
		return // gone again already
	}
	d.known[keyOf(route)] = knownDefault{route: route, linkName: link.Attrs().Name}
}

// Removed forgets a default route that was removed while its link was up.
func (d *DefaultRoutes) Removed(route netlink.Route) {
	known, ok := d.known[keyOf(route)]
	if !ok || !known.route.Gw.Equal(route.Gw) {
		return
	}
	link, err := d.kernel.handle.LinkByName(known.linkName)
	if err == nil && link.Attrs().RawFlags&unix.IFF_UP != 0 {
		delete(d.known, keyOf(route))
	}
}

// Len returns how many routes are remembered.
func (d *DefaultRoutes) Len() int { return len(d.known) }

// Restore adds the remembered routes that are absent and whose link is up, and returns how
// many it added.
func (d *DefaultRoutes) Restore() (int, error) {
	present, err := d.kernel.listDefaultRoutes()
	if err != nil {
		return 0, err
	}
	have := map[defaultKey]bool{}
	for _, route := range present {
		have[keyOf(route)] = true
	}
	restored := 0
	var failures []error
	for key, known := range d.known {
		if have[key] {
			continue
		}
		link, err := d.kernel.handle.LinkByName(known.linkName)
		if err != nil || link.Attrs().RawFlags&unix.IFF_UP == 0 {
			continue // the event of its return starts the next attempt
		}
		route := known.route
		route.LinkIndex = link.Attrs().Index
		route.Flags &= int(netlink.FLAG_ONLINK) // the other flags are reports of the kernel
		if err := d.kernel.handle.RouteAdd(&route); err != nil && !errors.Is(err, unix.EEXIST) {
			failures = append(failures, fmt.Errorf("restore default route via %s dev %s: %w", route.Gw, known.linkName, err))
			continue
		}
		restored++
	}
	return restored, errors.Join(failures...)
}

func (k *Kernel) listDefaultRoutes() ([]netlink.Route, error) {
	list, err := dump(func() ([]netlink.Route, error) {
		return k.handle.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, fmt.Errorf("list default routes: %w", err)
	}
	defaults := list[:0]
	for _, route := range list {
		if isKeepable(route) {
			defaults = append(defaults, route)
		}
	}
	return defaults, nil
}

// isKeepable selects plain default routes over one link. Multipath routes are left to whoever
// maintains them.
func isKeepable(route netlink.Route) bool {
	return isDefaultV4(route) && route.Table == unix.RT_TABLE_MAIN && route.Type == unix.RTN_UNICAST &&
		route.LinkIndex != 0 && len(route.MultiPath) == 0
}

func isDefaultV4(route netlink.Route) bool {
	if route.Family != netlink.FAMILY_V4 {
		return false
	}
	if route.Dst == nil {
		return true
	}
	ones, _ := route.Dst.Mask.Size()
	return ones == 0
}

func keyOf(route netlink.Route) defaultKey {
	return defaultKey{metric: route.Priority, tos: route.Tos}
}
