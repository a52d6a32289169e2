package enforce

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netns"

	"github.com/org/k8s-platform/images/node-network/internal/kernel"
	"github.com/org/k8s-platform/images/node-network/internal/policy"
	"github.com/org/k8s-platform/images/node-network/internal/policy/flows"
)

const (
	// countAfter lets changes in quick succession be one count: reading all tracked connections
	// of a busy node takes a while.
	countAfter = 250 * time.Millisecond
	// examples are named in the log.
	examples = 5
)

// countEstablished tells how many connections go on that the rules would not let begin: at the
// start, as an agent before may have changed the rules, after each change, and at every resync, as
// connections end. It ends with ctx.
func (e *Enforcer) countEstablished(ctx context.Context) {
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	before := 0
	pending := false // a change that follows another does not put the count off for ever
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.countDue:
			if !pending {
				pending = true
				due.Reset(countAfter)
			}
		case <-due.C:
			pending = false
			denied, err := e.established()
			if err != nil {
				e.log.Error("cannot tell which connections would be denied now", "error", err)
				continue
			}
			e.status.PolicyEstablished(len(denied))
			if len(denied) > 0 && len(denied) != before {
				e.log.Info("connections go on that network policies would not let begin now",
					"connections", len(denied), "examples", denied[:min(examples, len(denied))])
			}
			before = len(denied)
		}
	}
}

// established returns the connections that the rules would deny, as text.
func (e *Enforcer) established() ([]string, error) {
	own, err := ownAddresses(e.options.Namespace)
	if err != nil {
		return nil, err
	}
	isolated := e.isolated()
	if len(isolated) == 0 {
		return nil, nil
	}
	var candidates []policy.Flow
	err = flows.Established(e.options.Namespace, func(flow policy.Flow) {
		// What the node itself sends and receives does not pass the forward hook.
		if (isolated[flow.Source] || isolated[flow.Destination]) && !own[flow.Source] && !own[flow.Destination] {
			candidates = append(candidates, flow)
		}
	})
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	tables := e.planner.Tables()
	var denied []string
	for _, flow := range candidates {
		table := tables[0]
		if !flow.Source.Is4() {
			table = tables[1]
		}
		if !table.Allows(flow) {
			denied = append(denied, fmt.Sprintf("%s to %s, protocol %d", flow.Source, netip.AddrPortFrom(flow.Destination, flow.Port), flow.Protocol))
		}
	}
	return denied, nil
}

func (e *Enforcer) isolated() map[netip.Addr]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	addresses := map[netip.Addr]bool{}
	for _, table := range e.planner.Tables() {
		for _, direction := range policy.Directions {
			for address := range table.Isolated[direction] {
				addresses[address] = true
			}
		}
	}
	return addresses
}

func ownAddresses(namespace netns.NsHandle) (map[netip.Addr]bool, error) {
	k, err := kernel.Open(namespace)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	list, err := k.LocalAddresses()
	own := map[netip.Addr]bool{}
	for _, address := range list {
		own[address] = true
	}
	return own, err
}

// sctpTimeout is there when the kernel tracks SCTP connections. Without that, one association
// that is allowed lets all SCTP between its two ends pass as established.
const sctpTimeout = "/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_established"

func tracksSCTP() bool {
	_, err := os.Stat(sctpTimeout)
	return err == nil
}
