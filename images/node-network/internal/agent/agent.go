// Package agent keeps the network of one node as the API describes the cluster: it joins the
// node source, the plan and the kernel in one loop.
package agent

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netns"

	"github.com/org/k8s-platform/images/node-network/internal/kernel"
	"github.com/org/k8s-platform/images/node-network/internal/masquerade"
	"github.com/org/k8s-platform/images/node-network/internal/nodes"
	"github.com/org/k8s-platform/images/node-network/internal/status"
)

// Options are the agent's settings.
type Options struct {
	NodeName   string
	PodSubnets []netip.Prefix
	// CNIDirectory is where the runtime reads its configuration.
	CNIDirectory string
	// RunDirectory is where the CNI plugin of network policies finds this agent's socket.
	RunDirectory string
	// Resync is how often everything is checked although no event asked for it.
	Resync time.Duration
	// Namespace is the node's network namespace; netns.None() is the current one.
	Namespace netns.NsHandle
	// PoliciesReady is closed once network policies are enforced; no pod may start before.
	PoliciesReady <-chan struct{}
}

const (
	// settle lets a burst of events (a link coming up is a dozen) become one reconciliation.
	settle = 10 * time.Millisecond
	// retry follows a failure that no event may announce the end of.
	retry = time.Second
)

// Agent is made by New and lives for one Run.
type Agent struct {
	options  Options
	log      *slog.Logger
	source   *nodes.Source
	status   *status.Status
	kernel   *kernel.Kernel
	defaults *kernel.DefaultRoutes
	table    *masquerade.Table

	// What was logged last, so that a state that lasts is logged once.
	problems, shadowed []string
	failure            string
}

// New opens the kernel interfaces. It changes nothing yet.
func New(options Options, source *nodes.Source, st *status.Status, log *slog.Logger) (*Agent, error) {
	k, err := kernel.Open(options.Namespace)
	if err != nil {
		return nil, err
	}
	return &Agent{
		options:  options,
		log:      log,
		source:   source,
		status:   st,
		kernel:   k,
		defaults: kernel.NewDefaultRoutes(k),
		table:    masquerade.NewTable(options.Namespace),
	}, nil
}

// Run reconciles on every event of the API or the kernel until ctx ends. It then leaves
// routes, rules and CNI configuration as they are: pods go on while the agent is replaced.
func (a *Agent) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan kernel.Event)
	finished := make(chan struct{}, 2)
	go func() { a.kernel.Watch(ctx, a.log, events); finished <- struct{}{} }()
	go func() { a.source.Run(ctx); finished <- struct{}{} }()
	a.loop(ctx, events)
	cancel()
	<-finished
	<-finished
	a.kernel.Close()
}

func (a *Agent) loop(ctx context.Context, events <-chan kernel.Event) {
	resync := time.NewTicker(a.options.Resync)
	defer resync.Stop()
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	policiesReady := a.options.PoliciesReady
	pending := false // an event waits for its reconciliation
	check := false   // the next reconciliation trusts nothing it wrote before
	schedule := func() {
		if !pending {
			pending = true
			due.Reset(settle)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-events:
			if event.Kind == kernel.Subscribed {
				check = true
			}
			a.takeEvent(event)
			schedule()
		case <-a.source.Changed():
			schedule()
		case <-policiesReady:
			policiesReady = nil
			schedule()
		case <-resync.C:
			check = true
			schedule()
		case <-due.C:
			pending = false
			if failed := a.reconcile(check); failed {
				due.Reset(retry)
				continue
			}
			check = false
		}
	}
}

func (a *Agent) takeEvent(event kernel.Event) {
	switch event.Kind {
	case kernel.Subscribed:
		a.status.Subscribed()
		if err := a.defaults.Learn(); err != nil {
			a.log.Error("cannot learn the default routes", "error", err)
		}
		a.log.Info("following kernel events", "defaultRoutes", a.defaults.Len())
	case kernel.DefaultAdded:
		a.defaults.Added(event.Route)
	case kernel.DefaultRemoved:
		a.defaults.Removed(event.Route)
	case kernel.Changed:
	}
}

// news logs the strings of now that were not in before.
func (a *Agent) news(message string, before, now []string) {
	for _, text := range now {
		if !slices.Contains(before, text) {
			a.log.Warn(message, "reason", text)
		}
	}
}
