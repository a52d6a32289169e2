package agent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/org/k8s-platform/images/node-network/internal/cni"
	"github.com/org/k8s-platform/images/node-network/internal/masquerade"
	"github.com/org/k8s-platform/images/node-network/internal/plan"
	"github.com/org/k8s-platform/images/node-network/internal/status"
)

// reconcile makes the kernel and the CNI configuration match the API, and returns whether
// something failed that is worth another try. With check it also rewrites what it cannot
// compare.
func (a *Agent) reconcile(check bool) (failed bool) {
	a.status.Begin(status.Network)
	result, err := a.apply(check)
	failure := ""
	if err != nil {
		failure = err.Error()
		result.Failed = true
		result.NotReady = failure
	}
	switch {
	case failure == a.failure:
	case failure == "":
		a.log.Info("what failed before works again")
	default:
		a.log.Error("the network of this node is not as it should be", "error", failure)
	}
	a.failure = failure
	a.status.End(result)
	return result.Failed
}

func (a *Agent) apply(check bool) (status.Result, error) {
	var result status.Result
	var failures []error

	// First, as it needs no API server and may be what the way to it lacks.
	restored, err := a.defaults.Restore()
	failures = append(failures, err)
	result.DefaultsRestored = restored
	if restored > 0 {
		a.log.Info("default route was lost and is restored", "routes", restored)
	}

	known, ok := a.source.Nodes()
	if !ok {
		result.NotReady = "waiting for the API server to list the nodes"
		return result, errors.Join(failures...)
	}
	local, err := a.kernel.LocalAddresses()
	if err != nil {
		return result, errors.Join(append(failures, err)...)
	}
	desired := plan.For(plan.Input{
		Self: a.options.NodeName, Nodes: known, PodSubnets: a.options.PodSubnets, LocalAddresses: local,
	})
	result.Nodes, result.Routes = len(known), len(desired.Routes)
	a.news("part of the cluster is left out of the routes", a.problems, desired.Problems)
	a.problems = desired.Problems

	changes, err := a.kernel.SyncRoutes(desired.Routes)
	failures = append(failures, err)
	result.RoutesAdded, result.RoutesReplaced, result.RoutesRemoved = changes.Added, changes.Replaced, changes.Removed
	if changes.Any() {
		a.log.Info("routes changed", "added", changes.Added, "replaced", changes.Replaced, "removed", changes.Removed, "routes", len(desired.Routes))
	}

	if len(desired.PodCIDRs) == 0 {
		// Nothing is taken back: a node object deleted by mistake must not cut off its pods.
		result.NotReady = fmt.Sprintf("waiting for the API to give node %s a podCIDR", a.options.NodeName)
		return result, errors.Join(failures...)
	}
	written, err := a.table.Sync(masquerade.Rules{Pods: desired.PodCIDRs, Cluster: desired.Cluster}, check)
	failures = append(failures, err)
	result.TableWritten = written

	select {
	case <-a.options.PoliciesReady:
	default:
		result.NotReady = "waiting for network policies"
		return result, errors.Join(failures...)
	}
	// Last, as it makes the node Ready: a pod that starts finds its routes and rules in place.
	result.ConflistWritten, err = a.writeConflist(desired)
	failures = append(failures, err)

	result.NotReady = strings.Join(desired.Problems, "; ")
	return result, errors.Join(failures...)
}

func (a *Agent) writeConflist(desired plan.Plan) (bool, error) {
	mtu, err := a.kernel.UplinkMTU(desired.InternalIPs)
	if err != nil {
		return false, err
	}
	content, err := cni.Render(desired.PodCIDRs, mtu, a.options.RunDirectory)
	if err != nil {
		return false, err
	}
	written, err := cni.Write(a.options.CNIDirectory, content)
	if err != nil {
		return false, err
	}
	if written {
		a.log.Info("CNI configuration written", "podCIDRs", desired.PodCIDRs, "mtu", mtu)
	}
	shadowed, err := cni.Shadowing(a.options.CNIDirectory)
	if err != nil {
		return written, err
	}
	a.news("another CNI configuration sorts before "+cni.FileName+" and is used instead", a.shadowed, shadowed)
	a.shadowed = shadowed
	return written, nil
}
