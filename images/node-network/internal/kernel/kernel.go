// Package kernel reads and changes routes, addresses and links of one network namespace over
// rtnetlink, and reports when they change.
package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// RouteProtocol marks the routes of this agent (the "proto" of `ip route`). Only routes that
// carry it are ever changed or removed. The number is free in iproute2's rt_protos.
const RouteProtocol = netlink.RouteProtocol(75)

// Kernel is the rtnetlink side of one network namespace.
type Kernel struct {
	handle    *netlink.Handle
	namespace netns.NsHandle
}

// Open opens the namespace given, or the current one for netns.None().
func Open(namespace netns.NsHandle) (*Kernel, error) {
	var handle *netlink.Handle
	var err error
	if namespace.IsOpen() {
		handle, err = netlink.NewHandleAt(namespace, unix.NETLINK_ROUTE)
	} else {
		handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
	}
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	return &Kernel{handle: handle, namespace: namespace}, nil
}

// Close releases the netlink socket. Nothing in the kernel changes.
func (k *Kernel) Close() { k.handle.Close() }

// dump repeats a dump that the kernel says changed while it was being read.
func dump[T any](read func() (T, error)) (T, error) {
	const attempts = 5
	var result T
	var err error
	for range attempts {
		result, err = read()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return result, err
		}
	}
	return result, err
}

// LocalAddresses returns the addresses of all links.
func (k *Kernel) LocalAddresses() ([]netip.Addr, error) {
	list, err := dump(func() ([]netlink.Addr, error) { return k.handle.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	addresses := make([]netip.Addr, 0, len(list))
	for _, entry := range list {
		if address, ok := toAddr(entry.IP); ok {
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}

// UplinkMTU returns the MTU of the link that holds one of the given addresses, else that of
// the link of the default route, else 0.
func (k *Kernel) UplinkMTU(addresses []netip.Addr) (int, error) {
	index, err := k.uplinkIndex(addresses)
	if err != nil || index == 0 {
		return 0, err
	}
	link, err := k.handle.LinkByIndex(index)
	if err != nil {
		return 0, fmt.Errorf("read uplink %d: %w", index, err)
	}
	return link.Attrs().MTU, nil
}

func (k *Kernel) uplinkIndex(addresses []netip.Addr) (int, error) {
	list, err := dump(func() ([]netlink.Addr, error) { return k.handle.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return 0, fmt.Errorf("list addresses: %w", err)
	}
	for _, wanted := range addresses {
		for _, entry := range list {
			if address, ok := toAddr(entry.IP); ok && address == wanted {
				return entry.LinkIndex, nil
			}
		}
	}
	routes, err := k.listDefaultRoutes()
	if err != nil {
		return 0, err
	}
	for _, route := range routes {
		if route.LinkIndex != 0 {
			return route.LinkIndex, nil
		}
	}
	return 0, nil
}

func toAddr(ip net.IP) (netip.Addr, bool) {
	address, ok := netip.AddrFromSlice(ip)
	return address.Unmap(), ok
}

func toPrefix(network *net.IPNet) (netip.Prefix, bool) {
	if network == nil {
		return netip.Prefix{}, false
	}
	address, ok := toAddr(network.IP)
	ones, bits := network.Mask.Size()
	if !ok || bits != address.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(address, ones), true
}

func toIPNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{
		IP:   prefix.Addr().AsSlice(),
		Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
	}
}
