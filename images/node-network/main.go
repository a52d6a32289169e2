// Command node-network connects the pods of one Kubernetes node with those of all others. It
// runs on every node, in the node's network namespace; see README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"k8s.io/klog/v2"

	"github.com/org/k8s-platform/images/node-network/internal/agent"
	"github.com/org/k8s-platform/images/node-network/internal/nodes"
	"github.com/org/k8s-platform/images/node-network/internal/status"
)

// version is set with -ldflags "-X main.version=v0.1.0".
var version = "unversioned"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "node-network:", err)
		os.Exit(1)
	}
}

// run is main with its surroundings given: arguments, environment and where logs go.
func run(ctx context.Context, args []string, getenv func(string) string, output io.Writer) error {
	settings, err := parseSettings(args, getenv, output)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(output, &slog.HandlerOptions{Level: slog.LevelInfo})).With("node", settings.nodeName)
	klog.SetSlogLogger(log)
	log.Info("starting", "version", version, "podSubnets", settings.podSubnets)

	client, host, err := nodes.NewClient(nodes.ClientOptions{Kubeconfig: settings.kubeconfig, Endpoint: settings.endpoint})
	if err != nil {
		return err
	}
	state := status.New(time.Now)
	node, err := agent.New(agent.Options{
		NodeName:     settings.nodeName,
		PodSubnets:   settings.podSubnets,
		CNIDirectory: settings.cniDirectory,
		Resync:       settings.resync,
		Namespace:    netns.None(),
	}, nodes.NewSource(client, host, log), state, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", settings.listen)
	if err != nil {
		return fmt.Errorf("listen for status requests (--listen): %w", err)
	}

	// A status server that fails ends the agent, and the other way round.
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- state.Serve(ctx, listener)
		cancel()
	}()
	node.Run(ctx)
	cancel()
	err = <-served
	log.Info("stopped; routes, rules and CNI configuration stay in place")
	return err
}
