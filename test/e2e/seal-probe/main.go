// Command seal-probe is both sides of the seal's test: `listen` is the outside, the other commands are what a container tries.
// Every command prints one line: `ok <detail>` or `failed <reason>`.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const patience = 3 * time.Second

func main() {
	if len(os.Args) < 2 {
		fmt.Println("failed usage: seal-probe sleep | listen ADDRESS... | tcp ADDRESS | resolve NAME | ask SERVER NAME")
		os.Exit(2)
	}
	var detail string
	var err error
	switch command, args := os.Args[1], os.Args[2:]; command {
	case "sleep":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		<-stop
	case "listen":
		err = listen(args)
	case "tcp":
		detail, err = tcp(args[0])
	case "resolve":
		detail, err = resolve("", args[0])
	case "ask":
		detail, err = resolve(args[0], args[1])
	default:
		err = fmt.Errorf("unknown command %q", command)
	}
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	fmt.Println("ok", detail)
}

// listen answers TCP connections on every address with a greeting, and DNS questions on port 53 of the same hosts with 203.0.113.1; each is
// printed as it arrives, so that the test can also say what has not.
func listen(addresses []string) error {
	failures := make(chan error)
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					failures <- err
					return
				}
				fmt.Println("tcp", connection.RemoteAddr())
				io.WriteString(connection, "outside\n")
				connection.Close()
			}
		}()
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		packets, err := net.ListenPacket("udp", net.JoinHostPort(host, "53"))
		if err != nil {
			return err
		}
		go func() {
			buffer := make([]byte, 1500)
			for {
				size, from, err := packets.ReadFrom(buffer)
				if err != nil {
					failures <- err
					return
				}
				fmt.Println("dns", from)
				if answer := answer(buffer[:size]); answer != nil {
					packets.WriteTo(answer, from)
				}
			}
		}()
	}
	fmt.Println("listening")
	return <-failures
}

// answer gives every question for an address the same one, and every other question none.
func answer(question []byte) []byte {
	end := 12
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5
	if end > len(question) {
		return nil
	}
	reply := append([]byte{}, question[:end]...)
	reply[2], reply[3] = 0x81, 0x80
	binary.BigEndian.PutUint16(reply[8:], 0)
	binary.BigEndian.PutUint16(reply[10:], 0)
	if binary.BigEndian.Uint16(question[end-4:]) != 1 {
		return reply
	}
	binary.BigEndian.PutUint16(reply[6:], 1)
	return append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 203, 0, 113, 1)
}

func tcp(address string) (string, error) {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(patience))
	greeting, err := io.ReadAll(connection)
	if len(greeting) > 0 {
		return string(greeting[:len(greeting)-1]), nil
	}
	return "", fmt.Errorf("no greeting: %v", err)
}

func resolve(server, name string) (string, error) {
	resolver := &net.Resolver{PreferGo: true}
	if server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: patience}).DialContext(ctx, "udp", server)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	started := time.Now()
	addresses, err := resolver.LookupIP(ctx, "ip4", name)
	if err != nil {
		return "", fmt.Errorf("after %d ms: %w", time.Since(started).Milliseconds(), err)
	}
	return addresses[0].String(), nil
}
