// Package enforce keeps the packets of a node's pods as the cluster's network policies say: it
// joins the API, the planner and the kernel.
package enforce

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netns"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
	"github.com/org/k8s-platform/images/node-network/internal/policy/nft"
	"github.com/org/k8s-platform/images/node-network/internal/policy/watch"
	"github.com/org/k8s-platform/images/node-network/internal/status"
)

const (
	// settle lets a burst of changes (a rollout) become one transaction.
	settle = 5 * time.Millisecond
	// retry follows a failure of the kernel.
	retry = time.Second
)

// Options are the enforcer's settings.
type Options struct {
	NodeName string
	// Resync is how often the kernel's tables are read and compared.
	Resync time.Duration
	// Namespace is the node's network namespace; netns.None() is the current one.
	Namespace netns.NsHandle
	// RunDirectory has the socket of the CNI plugin and the notes on pods.
	RunDirectory string
}

// Enforcer is made by New and lives for one Run.
type Enforcer struct {
	options Options
	source  *watch.Source
	status  *status.Status
	log     *slog.Logger
	notes   gate.Notes
	// countDue has a signal when connections are to be counted.
	countDue chan struct{}
	changed  chan struct{}
	ready    chan struct{}

	mu       sync.Mutex
	planner  *policy.Planner
	writer   *nft.Writer
	problems map[policy.Key][]string
	waiting  []string  // resources whose first list has not come
	since    time.Time // of the oldest change that is not in the kernel; zero when there is none
	isReady  bool
	failure  string

	local     map[policy.Key]*localPod
	announced map[string]*admission // by container
	// version counts the changes, written says up to which one the kernel has them, and progress
	// is closed and renewed whenever either changes.
	version, written uint64
	progress         chan struct{}
}

// New changes nothing yet.
func New(options Options, source *watch.Source, st *status.Status, log *slog.Logger) *Enforcer {
	return &Enforcer{
		options: options, source: source, status: st, log: log,
		changed: make(chan struct{}, 1), ready: make(chan struct{}),
		planner: policy.NewPlanner(), writer: nft.NewWriter(options.Namespace),
		problems: map[policy.Key][]string{}, waiting: slices.Clone(watch.Resources),
		notes: gate.NewNotes(options.RunDirectory), local: map[policy.Key]*localPod{}, announced: map[string]*admission{},
		progress: make(chan struct{}), countDue: make(chan struct{}, 1),
	}
}

// Ready is closed once what the API server listed first is in the kernel.
func (e *Enforcer) Ready() <-chan struct{} { return e.ready }

// Run follows the cluster and answers the CNI plugin on the socket given, until ctx ends. It
// then leaves the rules as they are. It ends before ctx, with an error, when the plugin cannot be
// answered any more: without that no pod can start, and a new agent can.
func (e *Enforcer) Run(ctx context.Context, plugin net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failure error
	e.recall()
	sctp := tracksSCTP()
	if !sctp {
		e.log.Warn("this kernel does not track SCTP: ports of SCTP hold for first packets only, what follows between the same addresses passes")
	}
	e.status.PolicySCTP(sctp)
	e.status.PolicyFollows(status.Following{
		Outdated: func() string { return e.outdated(time.Now(), watch.Resources...) }, NotCurrentSince: e.notCurrentSince,
	})
	var running sync.WaitGroup
	for _, part := range []func(){
		func() { e.source.Run(ctx, (*receiver)(e)) },
		func() {
			failure = gate.Serve(ctx, plugin, e, e.log)
			cancel()
		},
		func() { e.countEstablished(ctx) },
	} {
		running.Add(1)
		go func() { defer running.Done(); part() }()
	}
	e.loop(ctx)
	running.Wait()
	return failure
}

func (e *Enforcer) loop(ctx context.Context) {
	resync := time.NewTicker(e.options.Resync)
	defer resync.Stop()
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	check := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.changed:
			due.Reset(settle)
			select {
			case <-ctx.Done():
				return
			case <-due.C:
			}
		case <-resync.C:
			check = true
		case <-due.C:
		}
		if err := e.sync(check); err != nil {
			due.Reset(retry)
			continue
		}
		check = false
	}
}

// sync writes what changed. Before everything has been listed once it writes nothing: the rules
// of before are better than rules that know half of the cluster.
func (e *Enforcer) sync(check bool) error {
	e.status.Begin(status.NetworkPolicy) // a lock that is never given back is a hang too
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) > 0 {
		e.status.PolicyWaits("waiting for the API server to list " + strings.Join(e.waiting, ", "))
		return nil
	}
	result := status.PolicyResult{Policies: len(e.problems), Pods: e.planner.Pods()}
	start := time.Now()
	var err error
	for _, table := range e.planner.Tables() {
		var transactions int
		transactions, err = e.writer.Sync(table, check)
		result.Transactions += transactions
		if err != nil {
			break
		}
		for _, direction := range policy.Directions {
			result.Isolated[direction] += len(table.Isolated[direction])
		}
		result.Chains += len(table.Chains)
		result.Sets += len(table.Sets)
	}
	result.Duration = time.Since(start)
	if err == nil && !e.since.IsZero() {
		result.Latency = time.Since(e.since)
		e.since = time.Time{}
	}
	e.conclude(&result, check, err)
	return err
}

func (e *Enforcer) conclude(result *status.PolicyResult, check bool, err error) {
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	if failure != e.failure && failure != "" {
		e.log.Error("network policies cannot be enforced", "error", failure)
	} else if failure != e.failure {
		e.log.Info("network policies can be enforced again")
	}
	e.failure = failure
	result.Failure = failure
	if result.Transactions > 0 || check || !e.isReady {
		signal(e.countDue)
	}
	for _, problems := range e.problems {
		result.Problems += len(problems)
	}
	e.status.PolicyEnds(*result)
	if err == nil {
		e.written = e.version
	}
	e.announceProgress()
	if err == nil && !e.isReady {
		e.isReady = true
		e.log.Info("network policies are in the kernel", "policies", result.Policies, "pods", result.Pods, "isolated", result.Isolated)
		close(e.ready)
	}
}

func (e *Enforcer) announceProgress() {
	close(e.progress)
	e.progress = make(chan struct{})
}
