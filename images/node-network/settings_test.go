package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestSettingsFromTheManifestsEnvironment(t *testing.T) {
	got, err := parseSettings(nil, environment(map[string]string{
		"NODE_NAME": "kind-worker", "POD_SUBNET": "10.244.0.0/16,fd00:10:244::/56", "CONTROL_PLANE_ENDPOINT": "kind-control-plane:6443",
	}), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got.nodeName != "kind-worker" || len(got.podSubnets) != 2 || got.endpoint != "kind-control-plane:6443" ||
		got.cniDirectory != "/etc/cni/net.d" || got.listen != "127.0.0.1:10271" || got.resync != time.Minute {
		t.Errorf("got %+v", got)
	}
}

func TestSettingsRefuse(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		says string
	}{
		{"no node", nil, nil, "NODE_NAME is missing"},
		{"an unrendered template", map[string]string{"NODE_NAME": "a", "POD_SUBNET": "{{ .PodSubnet }}"}, nil, `holds "{{ .PodSubnet }}": an address range is needed, for example 10.244.0.0/16`},
		{"an endpoint without port", map[string]string{"NODE_NAME": "a", "CONTROL_PLANE_ENDPOINT": "kind-control-plane"}, nil, "host:port is needed"},
		{"a resync that never ends", map[string]string{"NODE_NAME": "a"}, []string{"--resync=0s"}, "positive duration"},
		{"a part there is not", map[string]string{"NODE_NAME": "a"}, []string{"--parts=routes"}, `--parts is "routes": all or network-policy is needed`},
		{"an argument that is no flag", map[string]string{"NODE_NAME": "a"}, []string{"start"}, `unexpected argument "start"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseSettings(c.args, environment(c.env), io.Discard); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v does not say %q", err, c.says)
			}
		})
	}
}
