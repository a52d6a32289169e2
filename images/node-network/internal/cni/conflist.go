// Package cni writes the network configuration that the container runtime reads.
package cni

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// FileName sorts early: the runtime uses the first file of its directory.
const FileName = "10-k8s-platform.conflist"

// LeaseDir is where host-local keeps the addresses it has given out. It lies on a tmpfs, so
// that leases end with the pods when the node restarts.
const LeaseDir = "/run/k8s-platform/pod-addresses"

type networkList struct {
	CNIVersion string   `json:"cniVersion"`
	Name       string   `json:"name"`
	Plugins    []plugin `json:"plugins"`
}

type plugin struct {
	Type         string          `json:"type"`
	MTU          int             `json:"mtu,omitempty"`
	IPAM         *ipam           `json:"ipam,omitempty"`
	Capabilities map[string]bool `json:"capabilities,omitempty"`
	RunDirectory string          `json:"runDirectory,omitempty"`
}

type ipam struct {
	Type    string        `json:"type"`
	DataDir string        `json:"dataDir"`
	Ranges  [][]ipamRange `json:"ranges"`
	Routes  []ipamRoute   `json:"routes"`
}

type ipamRange struct {
	Subnet string `json:"subnet"`
}

type ipamRoute struct {
	Destination string `json:"dst"`
}

// Render returns the network configuration for pods with addresses of the given podCIDRs: a
// point-to-point link to the node each, a wait until the agent has their network policies in
// place, and host ports. The agent's socket is in runDirectory. An mtu of 0 leaves the kernel's default.
// Masquerading is not the plugin's: it would not know the cluster's other ranges.
func Render(podCIDRs []netip.Prefix, mtu int, runDirectory string) ([]byte, error) {
	if len(podCIDRs) == 0 {
		return nil, fmt.Errorf("render CNI configuration: no podCIDR given")
	}
	addresses := &ipam{Type: "host-local", DataDir: LeaseDir}
	for _, cidr := range podCIDRs {
		everything := "0.0.0.0/0"
		if cidr.Addr().Is6() {
			everything = "::/0"
		}
		addresses.Ranges = append(addresses.Ranges, []ipamRange{{Subnet: cidr.String()}})
		addresses.Routes = append(addresses.Routes, ipamRoute{Destination: everything})
	}
	list := networkList{
		// 0.4.0 is understood by every containerd since 1.4 and every plugin since 0.8.
		CNIVersion: "0.4.0",
		Name:       "k8s-platform",
		Plugins: []plugin{
			{Type: "ptp", MTU: mtu, IPAM: addresses},
			{Type: "k8s-platform-policy", RunDirectory: runDirectory},
			{Type: "portmap", Capabilities: map[string]bool{"portMappings": true}},
		},
	}
	content, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render CNI configuration: %w", err)
	}
	return append(content, '\n'), nil
}

// Write makes directory/FileName hold content, in one step, and returns whether it had to. The
// file is never removed: the runtime needs it to take down pods, also while no agent runs.
func Write(directory string, content []byte) (bool, error) {
	path := filepath.Join(directory, FileName)
	if present, err := os.ReadFile(path); err == nil && bytes.Equal(present, content) {
		return false, nil
	}
	// The name must not end in .conf, .conflist or .json, which the runtime would read.
	temporary, err := os.CreateTemp(directory, "."+FileName+".*.tmp")
	if err != nil {
		return false, fmt.Errorf("write CNI configuration: %w", err)
	}
	defer os.Remove(temporary.Name()) // does nothing after the rename
	_, err = temporary.Write(content)
	if err == nil {
		err = temporary.Chmod(0o644)
	}
	if err == nil {
		err = temporary.Sync()
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return false, fmt.Errorf("write CNI configuration %s: %w", path, err)
	}
	return true, nil
}

// Shadowing returns the configuration files in directory that the runtime would use before
// ours.
func Shadowing(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, fmt.Errorf("read CNI configuration directory: %w", err)
	}
	var names []string
	for _, entry := range entries {
		switch filepath.Ext(entry.Name()) {
		case ".conf", ".conflist", ".json":
			if strings.Compare(entry.Name(), FileName) < 0 {
				names = append(names, entry.Name())
			}
		}
	}
	return names, nil
}
