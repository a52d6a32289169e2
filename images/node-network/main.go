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
	"github.com/org/k8s-platform/images/node-network/internal/policy/enforce"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
	"github.com/org/k8s-platform/images/node-network/internal/policy/watch"
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

	parts := []status.Part{status.NetworkPolicy}
	if settings.parts == allParts {
		parts = append(parts, status.Network)
	}
	state := status.New(time.Now, parts...)
	// Before anything that a running agent would lose to this one, as its socket: of two agents the second one ends here.
	listener, err := net.Listen("tcp", settings.listen)
	if err != nil {
		return fmt.Errorf("listen for status requests (--listen): %w", err)
	}
	runs, err := makeParts(settings, state, log)
	if err != nil {
		listener.Close()
		return err
	}

	// A part that ends, or the status server, ends the agent: the kubelet starts it anew.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runs = append(runs, func(ctx context.Context) error { return state.Serve(ctx, listener) })
	ended := make(chan error, len(runs))
	for _, run := range runs {
		go func() {
			err := run(ctx)
			cancel()
			ended <- err
		}()
	}
	var failures []error
	for range runs {
		failures = append(failures, <-ended)
	}
	log.Info("stopped; routes, rules and CNI configuration stay in place")
	return errors.Join(failures...)
}

// makeParts returns what --parts selects, ready to run.
func makeParts(settings settings, state *status.Status, log *slog.Logger) ([]func(context.Context) error, error) {
	options := nodes.ClientOptions{Kubeconfig: settings.kubeconfig, Endpoint: settings.endpoint}
	source, err := watch.NewSource(options, log)
	if err != nil {
		return nil, err
	}
	policies := enforce.New(enforce.Options{
		NodeName: settings.nodeName, Resync: settings.resync, Namespace: netns.None(), RunDirectory: settings.runDirectory,
	}, source, state, log)
	socket, err := gate.Listen(settings.runDirectory)
	if err != nil {
		return nil, err
	}
	enforcePolicies := func(ctx context.Context) error { return policies.Run(ctx, socket) }
	if settings.parts == networkPolicyPart {
		return []func(context.Context) error{enforcePolicies}, nil
	}
	client, host, err := nodes.NewClient(options)
	if err != nil {
		return nil, err
	}
	network, err := agent.New(agent.Options{
		NodeName:      settings.nodeName,
		PodSubnets:    settings.podSubnets,
		CNIDirectory:  settings.cniDirectory,
		RunDirectory:  settings.runDirectory,
		Resync:        settings.resync,
		Namespace:     netns.None(),
		PoliciesReady: policies.Ready(),
	}, nodes.NewSource(client, host, log), state, log)
	if err != nil {
		return nil, err
	}
	keepNetwork := func(ctx context.Context) error { network.Run(ctx); return nil }
	return []func(context.Context) error{enforcePolicies, keepNetwork}, nil
}
