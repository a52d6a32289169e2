// Package gate lets a pod start only when its node's agent has its rules in place. The CNI plugin
// k8s-platform-policy tells the agent which pod has got which addresses and waits for its word;
// only then the runtime starts the pod's first process.
package gate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// SocketName is the socket in the run directory on which the agent listens.
const SocketName = "network-policy.sock"

// Commands of a Request.
const (
	Add    = "add"
	Delete = "delete"
)

// Request is what the plugin sends, as one line of JSON.
type Request struct {
	Command string `json:"command"`
	Announcement
}

// Reply is the agent's answer; an empty Error means yes.
type Reply struct {
	Error string `json:"error,omitempty"`
}

// Announcement says which pod the container runtime gives which addresses.
type Announcement struct {
	// Container identifies the pod's sandbox.
	Container string       `json:"container"`
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	UID       string       `json:"uid"`
	Addresses []netip.Addr `json:"addresses"`
}

// Note is an announcement with what the API told of the pod last: one that is deleted by force is
// gone from there while it still runs.
type Note struct {
	Announcement
	// Described is whether the API has told of the pod.
	Described bool              `json:"described,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Ports     []Port            `json:"ports,omitempty"`
}

// Port is a port with a name.
type Port struct {
	Name     string
	Protocol uint8
	Number   uint16
}

var containerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Notes keeps notes in files, so that an agent that starts knows the pods whose
// addresses the API server has not been told yet.
type Notes struct{ directory string }

// NewNotes uses the run directory given.
func NewNotes(runDirectory string) Notes { return Notes{filepath.Join(runDirectory, "pods")} }

// Save keeps a note, by rename: it is there whole or not at all. One call at a time.
func (n Notes) Save(a Note) error {
	path, err := n.path(a.Container)
	if err != nil {
		return err
	}
	content, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("note pod %s/%s: %w", a.Namespace, a.Name, err)
	}
	temporary := path + ".tmp"
	if err := os.MkdirAll(n.directory, 0o700); err != nil {
		return fmt.Errorf("note pod %s/%s: %w", a.Namespace, a.Name, err)
	}
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return fmt.Errorf("note pod %s/%s: %w", a.Namespace, a.Name, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("note pod %s/%s: %w", a.Namespace, a.Name, err)
	}
	return nil
}

// Remove forgets a note, if there is one.
func (n Notes) Remove(container string) error {
	path, err := n.path(container)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("forget container %s: %w", container, err)
	}
	return nil
}

// Load returns all notes. What cannot be read is left out and named by the error.
func (n Notes) Load() ([]Note, error) {
	entries, err := os.ReadDir(n.directory)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read notes on pods: %w", err)
	}
	var list []Note
	var failure error
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".tmp") {
			continue
		}
		var a Note
		content, err := os.ReadFile(filepath.Join(n.directory, entry.Name()))
		if err == nil {
			err = json.Unmarshal(content, &a)
		}
		if err != nil {
			failure = fmt.Errorf("read note on pod %s: %w", entry.Name(), err)
			continue
		}
		list = append(list, a)
	}
	return list, failure
}

func (n Notes) path(container string) (string, error) {
	if !containerForm.MatchString(container) {
		return "", fmt.Errorf("container %q is no identifier of letters, digits, dots, dashes and underscores", container)
	}
	return filepath.Join(n.directory, container), nil
}
