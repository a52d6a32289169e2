package netnstest

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

const probePort = "9000"

// Echo answers every datagram sent to address with the sender's address, as seen there.
func Echo(t testing.TB, n *Namespace, address string) {
	t.Helper()
	var socket net.PacketConn
	n.Run(func() (err error) {
		socket, err = net.ListenPacket("udp", net.JoinHostPort(address, probePort))
		return err
	})
	t.Cleanup(func() { socket.Close() })
	go func() {
		buffer := make([]byte, 64)
		for {
			_, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			host, _, _ := net.SplitHostPort(from.String())
			_, _ = socket.WriteTo([]byte(host), from)
		}
	}()
}

// Ask sends one datagram to an Echo, from a new socket, so that the flow is new to connection
// tracking, and returns the address the echo saw.
func Ask(n *Namespace, address string, timeout time.Duration) (seen string, err error) {
	err = n.Try(func() error {
		socket, err := net.Dial("udp", net.JoinHostPort(address, probePort))
		if err != nil {
			return err
		}
		defer socket.Close()
		if err := socket.SetDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		if _, err := socket.Write([]byte("?")); err != nil {
			return err
		}
		buffer := make([]byte, 64)
		length, err := socket.Read(buffer)
		seen = string(buffer[:length])
		return err
	})
	return seen, err
}

// Stream asks again and again until stopped.
type Stream struct {
	stop     chan struct{}
	finished sync.WaitGroup

	Sent     int
	Failures []string
}

// StartStream asks address every few milliseconds and notes each answer that is not want.
func StartStream(n *Namespace, address, want string) *Stream {
	s := &Stream{stop: make(chan struct{})}
	s.finished.Add(1)
	go func() {
		defer s.finished.Done()
		for {
			select {
			case <-s.stop:
				return
			case <-time.After(3 * time.Millisecond):
			}
			s.Sent++
			// A datagram that is lost is never answered; a busy machine answers late.
			seen, err := Ask(n, address, 3*time.Second)
			if err != nil || seen != want {
				s.Failures = append(s.Failures, fmt.Sprintf("request %d: seen as %q, error %v", s.Sent, seen, err))
			}
		}
	}()
	return s
}

// Stop ends the stream; its fields may be read afterwards.
func (s *Stream) Stop() {
	close(s.stop)
	s.finished.Wait()
}

// Eventually waits until check returns an empty string, at most for timeout.
func Eventually(t testing.TB, what string, timeout time.Duration, check func() string) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		reason := check()
		if reason == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s: %s", what, timeout, reason)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Ports that the kernel gives to nobody who asks for any: a datagram from such a port is never
// part of a connection that was let through before.
const firstFloodPort, floodPorts = 10_000, 20_000

// Flood sends datagrams as fast as it can, each from a port of its own, and counts the answers:
// for traffic of which nothing may pass.
type Flood struct {
	stop     chan struct{}
	finished sync.WaitGroup

	Sent, Answers int
}

// StartFlood floods address.
func StartFlood(n *Namespace, address string) *Flood {
	f := &Flood{stop: make(chan struct{})}
	f.finished.Add(1)
	go func() {
		defer f.finished.Done()
		_ = n.Try(func() error {
			for port := 0; ; {
				select {
				case <-f.stop:
					return nil
				default:
				}
				// Many sockets at once: an answer has the time of a round to come.
				sockets := make([]net.Conn, 0, 20)
				for range cap(sockets) {
					dialer := net.Dialer{LocalAddr: &net.UDPAddr{Port: firstFloodPort + port%floodPorts}}
					port++
					if socket, err := dialer.Dial("udp", net.JoinHostPort(address, probePort)); err == nil {
						sockets = append(sockets, socket)
						_, _ = socket.Write([]byte("?"))
						f.Sent++
					}
				}
				deadline := time.Now().Add(5 * time.Millisecond)
				for _, socket := range sockets {
					_ = socket.SetReadDeadline(deadline)
					if _, err := socket.Read(make([]byte, 64)); err == nil {
						f.Answers++
					}
					socket.Close()
				}
			}
		})
	}()
	return f
}

// Stop ends the flood; its fields may be read afterwards.
func (f *Flood) Stop() {
	close(f.stop)
	f.finished.Wait()
}
