package flows

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	mdlayher "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Forget ends the tracking of connections that have one of the addresses at an end. A new pod's
// address may be that of a pod that is gone, and what was established with that one would pass
// before any rule is asked.
func Forget(namespace netns.NsHandle, addresses []netip.Addr) error {
	for family, is := range map[uint8]func(netip.Addr) bool{unix.AF_INET: netip.Addr.Is4, unix.AF_INET6: netip.Addr.Is6} {
		if !slices.ContainsFunc(addresses, is) {
			continue
		}
		if err := forget(namespace, family, addresses); err != nil {
			return fmt.Errorf("forget tracked connections of %v: %w", addresses, err)
		}
	}
	return nil
}

func forget(namespace netns.NsHandle, family uint8, addresses []netip.Addr) error {
	var stale [][]byte
	err := each(namespace, family, func(message []byte) error {
		original, reply, err := tuples(message)
		ends := []netip.Addr{original.source, original.destination, reply.source, reply.destination}
		if err == nil && slices.ContainsFunc(ends, func(end netip.Addr) bool { return slices.Contains(addresses, end) }) {
			stale = append(stale, slices.Clone(message))
		}
		return err
	})
	if err != nil || len(stale) == 0 {
		return err
	}
	socket, err := nl.GetNetlinkSocketAt(namespace, netns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer socket.Close()
	for _, message := range stale {
		r := request(socket, deleteConntrack, unix.NLM_F_ACK, family)
		r.AddRawData(message[nl.SizeofNfgenmsg:])
		// One that is gone has timed out meanwhile.
		if _, err := r.Execute(unix.NETLINK_NETFILTER, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// tuples reads both directions of a connection: as it was begun, and as it is answered, which is
// by the address behind a Service.
func tuples(message []byte) (original, reply tuple, err error) {
	attributes, err := mdlayher.NewAttributeDecoder(message[min(nl.SizeofNfgenmsg, len(message)):])
	if err != nil {
		return original, reply, err
	}
	for attributes.Next() {
		switch attributes.Type() {
		case nl.CTA_TUPLE_ORIG:
			attributes.Nested(original.decode)
		case nl.CTA_TUPLE_REPLY:
			attributes.Nested(reply.decode)
		}
	}
	return original, reply, attributes.Err()
}
