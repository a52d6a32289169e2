package cni

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	got, err := Render([]netip.Prefix{netip.MustParsePrefix("10.244.1.0/24")}, 1450, "/run/k8s-platform")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "cniVersion": "0.4.0",
  "name": "k8s-platform",
  "plugins": [
    {
      "type": "ptp",
      "mtu": 1450,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/k8s-platform/pod-addresses",
        "ranges": [
          [
            {
              "subnet": "10.244.1.0/24"
            }
          ]
        ],
        "routes": [
          {
            "dst": "0.0.0.0/0"
          }
        ]
      }
    },
    {
      "type": "k8s-platform-policy",
      "runDirectory": "/run/k8s-platform"
    },
    {
      "type": "portmap",
      "capabilities": {
        "portMappings": true
      }
    }
  ]
}
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRenderBothFamiliesAndNone(t *testing.T) {
	got, err := Render([]netip.Prefix{netip.MustParsePrefix("10.244.1.0/24"), netip.MustParsePrefix("fd00:10:244:1::/64")}, 0, "/run/k8s-platform")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"10.244.1.0/24"`, `"fd00:10:244:1::/64"`, `"0.0.0.0/0"`, `"::/0"`} {
		if !strings.Contains(string(got), part) {
			t.Errorf("%s is missing in\n%s", part, got)
		}
	}
	if strings.Contains(string(got), "mtu") {
		t.Error("an unknown MTU is written down")
	}
	if _, err := Render(nil, 1500, ""); err == nil {
		t.Error("a configuration without addresses was made")
	}
}

func TestWrite(t *testing.T) {
	directory := t.TempDir()
	for _, step := range []struct {
		content string
		written bool
	}{{"one", true}, {"one", false}, {"two", true}} {
		written, err := Write(directory, []byte(step.content))
		if err != nil || written != step.written {
			t.Fatalf("%s: written %v, error %v, want %v", step.content, written, err, step.written)
		}
	}
	got, err := os.ReadFile(filepath.Join(directory, FileName))
	if err != nil || string(got) != "two" {
		t.Errorf("holds %q, error %v", got, err)
	}
	entries, _ := os.ReadDir(directory)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if _, err := Write(filepath.Join(directory, "absent"), nil); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("the error does not name the directory: %v", err)
	}
}

func TestShadowing(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"05-other.conf", "10-containerd-net.conflist", FileName, "87-podman.conflist", "00-notes.txt"} {
		if err := os.WriteFile(filepath.Join(directory, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Shadowing(directory)
	if want := []string{"05-other.conf", "10-containerd-net.conflist"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, error %v, want %v", got, err, want)
	}
}
