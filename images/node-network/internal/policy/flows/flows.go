// Package flows reads the connections that the kernel tracks, and makes it forget some, over netlink.
package flows

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	mdlayher "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

const (
	// Messages of unix.NFNL_SUBSYS_CTNETLINK: getConntrack asks for connections, deleteConntrack ends
	// one's tracking.
	getConntrack    = 1
	deleteConntrack = 2
	// seenReply is the status bit of a connection that was answered.
	seenReply = 1 << 1
)

// Established visits the connections that have been answered and are not being closed, as their
// first packet passed the forward hook, one at a time: nodes may track very many.
func Established(namespace netns.NsHandle, visit func(policy.Flow)) error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := established(namespace, family, visit); err != nil {
			return fmt.Errorf("list tracked connections: %w", err)
		}
	}
	return nil
}

func established(namespace netns.NsHandle, family uint8, visit func(policy.Flow)) error {
	return each(namespace, family, func(message []byte) error {
		flow, wanted, err := decode(message)
		if err == nil && wanted {
			visit(flow)
		}
		return err
	})
}

// each visits the connections of a family as the kernel's messages, which are valid until visit
// returns.
func each(namespace netns.NsHandle, family uint8, visit func(message []byte) error) error {
	socket, err := nl.GetNetlinkSocketAt(namespace, netns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer socket.Close()
	var failure error
	err = request(socket, getConntrack, unix.NLM_F_DUMP, family).ExecuteIter(unix.NETLINK_NETFILTER, 0, func(message []byte) bool {
		failure = visit(message)
		return failure == nil
	})
	if failure != nil {
		return failure
	}
	return err
}

func request(socket *nl.NetlinkSocket, message, flags int, family uint8) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|message, flags)
	r.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_NETFILTER: {Socket: socket}}
	r.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	return r
}

// tuple is one direction of a connection.
type tuple struct {
	source, destination netip.Addr
	protocol            uint8
	sourcePort          uint16
}

// decode reads one connection. Its destination is where answers come from: what it was sent to
// may be the address of a Service.
func decode(message []byte) (flow policy.Flow, wanted bool, err error) {
	if len(message) < nl.SizeofNfgenmsg {
		return flow, false, fmt.Errorf("a message of %d bytes is too short", len(message))
	}
	attributes, err := mdlayher.NewAttributeDecoder(message[nl.SizeofNfgenmsg:])
	if err != nil {
		return flow, false, err
	}
	attributes.ByteOrder = binary.BigEndian
	var original, reply tuple
	var status uint32
	open := true
	for attributes.Next() {
		switch attributes.Type() {
		case nl.CTA_TUPLE_ORIG:
			attributes.Nested(original.decode)
		case nl.CTA_TUPLE_REPLY:
			attributes.Nested(reply.decode)
		case nl.CTA_STATUS:
			status = attributes.Uint32()
		case nl.CTA_PROTOINFO:
			attributes.Nested(func(info *mdlayher.AttributeDecoder) error {
				open = isOpen(info)
				return nil
			})
		}
	}
	flow = policy.Flow{Source: original.source, Destination: reply.source, Protocol: original.protocol, Port: reply.sourcePort}
	return flow, open && status&seenReply != 0, attributes.Err()
}

func (t *tuple) decode(attributes *mdlayher.AttributeDecoder) error {
	for attributes.Next() {
		switch attributes.Type() {
		case nl.CTA_TUPLE_IP:
			attributes.Nested(func(addresses *mdlayher.AttributeDecoder) error {
				for addresses.Next() {
					address, _ := netip.AddrFromSlice(addresses.Bytes())
					switch addresses.Type() {
					case nl.CTA_IP_V4_SRC, nl.CTA_IP_V6_SRC:
						t.source = address
					default:
						t.destination = address
					}
				}
				return nil
			})
		case nl.CTA_TUPLE_PROTO:
			attributes.Nested(func(ports *mdlayher.AttributeDecoder) error {
				for ports.Next() {
					switch ports.Type() {
					case nl.CTA_PROTO_NUM:
						t.protocol = ports.Uint8()
					case nl.CTA_PROTO_SRC_PORT:
						t.sourcePort = ports.Uint16()
					}
				}
				return nil
			})
		}
	}
	return nil
}

// isOpen is whether a TCP connection is established; other protocols do not say.
func isOpen(info *mdlayher.AttributeDecoder) bool {
	open := true
	for info.Next() {
		if info.Type() != nl.CTA_PROTOINFO_TCP {
			continue
		}
		info.Nested(func(tcp *mdlayher.AttributeDecoder) error {
			for tcp.Next() {
				if tcp.Type() == nl.CTA_PROTOINFO_TCP_STATE {
					open = tcp.Uint8() == nl.TCP_CONNTRACK_ESTABLISHED
				}
			}
			return nil
		})
	}
	return open
}
