package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

type settings struct {
	nodeName     string
	podSubnets   []netip.Prefix
	endpoint     string
	kubeconfig   string
	cniDirectory string
	listen       string
	resync       time.Duration
	parts        string
	runDirectory string
}

// What --parts selects: everything, or network policies alone, on a machine or in a network
// namespace whose routes and CNI configuration are not this agent's.
const (
	allParts          = "all"
	networkPolicyPart = "network-policy"
)

// parseSettings reads flags, which tests and people use, and the environment, which the
// manifest uses.
func parseSettings(args []string, getenv func(string) string, output io.Writer) (settings, error) {
	var s settings
	var subnets string
	flags := flag.NewFlagSet("node-network", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&s.nodeName, "node-name", getenv("NODE_NAME"), "name of the Node object this agent runs for (or NODE_NAME)")
	flags.StringVar(&subnets, "pod-subnet", getenv("POD_SUBNET"), "ranges of all podCIDRs, separated by commas (or POD_SUBNET)")
	flags.StringVar(&s.endpoint, "control-plane-endpoint", getenv("CONTROL_PLANE_ENDPOINT"),
		"host:port of an API server, used instead of the Service kubernetes (or CONTROL_PLANE_ENDPOINT)")
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "kubeconfig to use instead of the pod's service account")
	flags.StringVar(&s.cniDirectory, "cni-directory", "/etc/cni/net.d", "directory the container runtime reads CNI configuration from")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:10271", "address of /healthz, /readyz and /metrics")
	flags.DurationVar(&s.resync, "resync", time.Minute, "how often everything is checked without an event")
	flags.StringVar(&s.parts, "parts", allParts, "what this agent keeps: "+allParts+", or "+networkPolicyPart+" and nothing else")
	flags.StringVar(&s.runDirectory, "run-directory", "/run/k8s-platform",
		"directory of the socket that the CNI plugin k8s-platform-policy talks to, and of its notes on pods")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if s.nodeName == "" {
		return s, fmt.Errorf("--node-name or NODE_NAME is missing: the name of the Node object, for example kind-worker")
	}
	if s.parts != allParts && s.parts != networkPolicyPart {
		return s, fmt.Errorf("--parts is %q: %s or %s is needed", s.parts, allParts, networkPolicyPart)
	}
	if s.resync <= 0 {
		return s, fmt.Errorf("--resync is %s: a positive duration is needed, for example 1m", s.resync)
	}
	if s.endpoint != "" {
		if _, _, err := net.SplitHostPort(s.endpoint); err != nil {
			return s, fmt.Errorf("--control-plane-endpoint or CONTROL_PLANE_ENDPOINT is %q: host:port is needed, for example kind-control-plane:6443", s.endpoint)
		}
	}
	var err error
	s.podSubnets, err = parseSubnets(subnets)
	return s, err
}

func parseSubnets(text string) ([]netip.Prefix, error) {
	var subnets []netip.Prefix
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("--pod-subnet or POD_SUBNET holds %q: an address range is needed, for example 10.244.0.0/16", part)
		}
		subnets = append(subnets, prefix.Masked())
	}
	return subnets, nil
}
