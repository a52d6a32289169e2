package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
)

// listen accepts TCP connections to ports of a pod.
func listen(t *testing.T, pod *netnstest.Namespace, address string, ports ...int) {
	t.Helper()
	for _, port := range ports {
		var listener net.Listener
		pod.Run(func() (err error) {
			listener, err = net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(port)))
			return err
		})
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				connection.Close()
			}
		}()
	}
}

// knock returns what came of a TCP connection: "open", "dropped", or an error.
func knock(from *netnstest.Namespace, address string, port int) string {
	err := from.Try(func() error {
		connection, err := net.DialTimeout("tcp", net.JoinHostPort(address, fmt.Sprint(port)), quick)
		if err == nil {
			connection.Close()
		}
		return err
	})
	switch {
	case err == nil:
		return "open"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "dropped"
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "dropped"
	}
	return err.Error()
}

// TestPortsAndBlocksWithRealPackets has named ports that differ between pods, ranges, exceptions
// and protocols, between nodes and on one.
func TestPortsAndBlocksWithRealPackets(t *testing.T) {
	c, _, _, podC := newPolicyCluster(t)
	listen(t, c.podA, "10.244.1.5", 80, 8080, 8081, 5000, 5001, 5002, 5003)
	listen(t, podC, "10.244.1.6", 8080, 8081)
	listen(t, c.podB, "10.244.2.5", 8080, 8082)
	for name, port := range map[string]int32{"a": 8080, "c": 8081} {
		pod := runningPod("x", name, "a", map[string]string{"a": "10.244.1.5", "c": "10.244.1.6"}[name], "app="+name)
		pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "web", ContainerPort: port}}
		c.api.Put(pod)
	}
	elsewhere := runningPod("y", "b", "b", "10.244.2.5", "app=b")
	elsewhere.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "web", ContainerPort: 8082}}
	c.api.Put(elsewhere)

	c.putPolicy("x", "in", `{podSelector: {}, ingress: [
		{from: [{ipBlock: {cidr: 10.244.0.0/16, except: [10.244.1.6/32]}}], ports: [{port: web}, {port: 5001, endPort: 5002}]},
		{from: [{podSelector: {matchLabels: {app: c}}}], ports: [{port: 80}]}]}`)
	c.putPolicy("x", "out", `{podSelector: {matchLabels: {app: c}}, policyTypes: [Egress], egress: [
		{to: [{namespaceSelector: {matchLabels: {team: blue}}}], ports: [{port: web}]}, {to: [{podSelector: {}}]}]}`)
	c.expect("policies", podC, netnstest.OutsideAddress, "")
	c.expect("policies", c.podB, "10.244.1.5", "")
	for _, check := range []struct {
		what    string
		from    *netnstest.Namespace
		address string
		port    int
		want    string
	}{
		{"web of pod a", c.podB, "10.244.1.5", 8080, "open"},
		{"web of pod c as a port of pod a", c.podB, "10.244.1.5", 8081, "dropped"},
		{"web of pod c", c.podB, "10.244.1.6", 8081, "open"},
		{"web of pod a as a port of pod c", c.podB, "10.244.1.6", 8080, "dropped"},
		{"below the range", c.podB, "10.244.1.5", 5000, "dropped"},
		{"the range's first", c.podB, "10.244.1.5", 5001, "open"},
		{"the range's last", c.podB, "10.244.1.5", 5002, "open"},
		{"above the range", c.podB, "10.244.1.5", 5003, "dropped"},
		{"an exception of the block", podC, "10.244.1.5", 8080, "dropped"},
		{"what another rule allows the exception", podC, "10.244.1.5", 80, "open"},
		{"web of another node's pod, on the way out", podC, "10.244.2.5", 8082, "open"},
		{"another port of it", podC, "10.244.2.5", 8080, "dropped"},
		{"the own node's probe", c.a, "10.244.1.5", 5003, "open"},
		{"another node", c.b, "10.244.1.5", 5001, "dropped"},
		{"a pod to itself", c.podA, "10.244.1.5", 5003, "open"},
	} {
		if got := knock(check.from, check.address, check.port); got != check.want {
			t.Errorf("%s: %s, want %s", check.what, got, check.want)
		}
	}
}

// TestLabelsAreFollowedWithinASecond changes what selectors select, both ways.
func TestLabelsAreFollowedWithinASecond(t *testing.T) {
	c, a, _, podC := newPolicyCluster(t)
	c.putPolicy("x", "allow", `{podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {matchLabels: {role: friend}}}, {namespaceSelector: {matchLabels: {team: green}}}]}]}`)
	c.expect("before", podC, "10.244.1.5", "")
	for _, step := range []struct {
		what   string
		change func()
		from   *netnstest.Namespace
		want   string
	}{
		{"a pod gets the label", func() { c.putPod("x", "c", "a", "10.244.1.6", "role=friend") }, podC, "10.244.1.6"},
		{"a pod loses the label", func() { c.putPod("x", "c", "a", "10.244.1.6") }, podC, ""},
		{"a namespace gets the label", func() { c.putNamespace("y", "team=green") }, c.podB, "10.244.2.5"},
		{"a namespace loses the label", func() { c.putNamespace("y", "team=blue") }, c.podB, ""},
		{"the isolated pod is not selected any more", func() { c.putPod("x", "a", "a", "10.244.1.5", "app=other") }, c.podB, "10.244.2.5"},
		{"the isolated pod is selected again", func() { c.putPod("x", "a", "a", "10.244.1.5", "app=a") }, c.podB, ""},
	} {
		written := a.metric(transactions)
		begin := time.Now()
		step.change()
		netnstest.Eventually(t, step.what, patience, func() string {
			if a.metric(transactions) == written {
				return "no transaction"
			}
			return ""
		})
		took := time.Since(begin)
		if took >= time.Second {
			t.Errorf("%s: in the kernel after %s", step.what, took)
		}
		c.expect(step.what, step.from, "10.244.1.5", step.want)
		t.Logf("%s: in the kernel after %s, by the agent's own figure %.0f ms", step.what, took.Round(time.Millisecond),
			1000*a.metric("node_network_policy_last_change_latency_seconds"))
	}
}

// TestSCTPPortsWithRealPackets sends the first packet of an association by hand: few kernels have
// SCTP sockets, and those that lack them pass its packets on all the same.
func TestSCTPPortsWithRealPackets(t *testing.T) {
	c, _, _, podC := newPolicyCluster(t)
	c.putPolicy("x", "sctp", `{podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{protocol: SCTP, port: 3868}, {protocol: TCP, port: 3869}]}]}`)
	c.expect("the policy", podC, "10.244.1.5", "")
	var socket net.PacketConn
	c.podA.Run(func() (err error) {
		socket, err = net.ListenPacket("ip4:132", "10.244.1.5")
		return err
	})
	t.Cleanup(func() { socket.Close() })
	var arrived []uint16
	for _, port := range []uint16{3869, 3868, 3870, 3868} {
		podC.Run(func() error {
			sender, err := net.Dial("ip4:132", "10.244.1.5")
			if err != nil {
				return err
			}
			defer sender.Close()
			_, err = sender.Write(sctpInit(port))
			return err
		})
		_ = socket.SetReadDeadline(time.Now().Add(quick))
		buffer := make([]byte, 64)
		if length, _, err := socket.ReadFrom(buffer); err == nil && length >= 4 {
			arrived = append(arrived, binary.BigEndian.Uint16(buffer[2:]))
		}
	}
	if !slices.Equal(arrived, []uint16{3868, 3868}) {
		t.Errorf("packets to ports %v arrived, want those to 3868", arrived)
	}
}

// sctpInit is an SCTP packet with one INIT chunk.
func sctpInit(port uint16) []byte {
	packet := binary.BigEndian.AppendUint16([]byte{0xc0, 0x00}, port)
	packet = append(packet, 0, 0, 0, 0, 0, 0, 0, 0) // verification tag, checksum
	packet = append(packet, 1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1)
	binary.LittleEndian.PutUint32(packet[8:], crc32.Checksum(packet, crc32.MakeTable(crc32.Castagnoli)))
	return packet
}
