// Command k8s-platform-policy is a CNI plugin that stands behind the one that gave a pod its
// addresses. It passes that result on unchanged, once the node's network agent says that the rules
// of network policies for these addresses are in place.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
)

// configuration is this plugin's entry in the conflist, with what the runtime adds.
type configuration struct {
	CNIVersion   string          `json:"cniVersion"`
	RunDirectory string          `json:"runDirectory"`
	PrevResult   json.RawMessage `json:"prevResult"`
}

// Error codes of the CNI specification.
const (
	invalidEnvironment = 4
	cannotDecode       = 6
	invalidNetwork     = 7
	tryAgainLater      = 11
)

type failure struct {
	CNIVersion string `json:"cniVersion"`
	Code       int    `json:"code"`
	Message    string `json:"msg"`
}

func (f *failure) Error() string { return f.Message }

func main() {
	if err := run(os.Getenv, os.Stdin, os.Stdout); err != nil {
		f := &failure{Code: tryAgainLater, Message: err.Error()}
		errors.As(err, &f)
		f.CNIVersion = "0.4.0"
		_ = json.NewEncoder(os.Stdout).Encode(f)
		os.Exit(1)
	}
}

func run(getenv func(string) string, input io.Reader, output io.Writer) error {
	command := getenv("CNI_COMMAND")
	if command == "VERSION" {
		_, err := fmt.Fprintln(output, `{"cniVersion":"1.0.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0"]}`)
		return err
	}
	var c configuration
	if err := json.NewDecoder(input).Decode(&c); err != nil {
		return &failure{Code: cannotDecode, Message: "read the network configuration: " + err.Error()}
	}
	if c.RunDirectory == "" {
		return &failure{Code: invalidNetwork, Message: "runDirectory is missing: the directory of the agent's socket, for example /run/k8s-platform"}
	}
	container := getenv("CNI_CONTAINERID")
	switch command {
	case "ADD":
		return add(c, container, podOf(getenv("CNI_ARGS")), output)
	case "DEL":
		return remove(c, container)
	case "CHECK":
		return nil
	}
	return &failure{Code: invalidEnvironment, Message: fmt.Sprintf("CNI_COMMAND is %q: ADD, DEL, CHECK or VERSION is needed", command)}
}

func add(c configuration, container string, pod map[string]string, output io.Writer) error {
	addresses, err := addressesOf(c.PrevResult)
	if err != nil {
		return &failure{Code: cannotDecode, Message: err.Error()}
	}
	announcement := gate.Announcement{
		Container: container, Namespace: pod["K8S_POD_NAMESPACE"], Name: pod["K8S_POD_NAME"], UID: pod["K8S_POD_UID"], Addresses: addresses,
	}
	if announcement.Name == "" {
		return &failure{Code: invalidEnvironment, Message: "CNI_ARGS has no K8S_POD_NAME: network policies are about pods"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), gate.Patience+2*time.Second)
	defer cancel()
	if err := gate.Ask(ctx, c.RunDirectory, gate.Request{Command: gate.Add, Announcement: announcement}); err != nil {
		return fmt.Errorf("network policies of pod %s/%s: %w", announcement.Namespace, announcement.Name, err)
	}
	_, err = fmt.Fprintln(output, string(c.PrevResult))
	return err
}

// remove must succeed without an agent: nothing else would free the pod's addresses.
func remove(c configuration, container string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := gate.AskOnce(ctx, c.RunDirectory, gate.Request{Command: gate.Delete, Announcement: gate.Announcement{Container: container}})
	if errors.Is(err, gate.ErrNoAgent) {
		return gate.NewNotes(c.RunDirectory).Remove(container)
	}
	return err
}

// addressesOf reads the result of the plugin before, in any version since 0.3.0.
func addressesOf(result json.RawMessage) ([]netip.Addr, error) {
	var parsed struct {
		IPs []struct {
			Address string `json:"address"`
		} `json:"ips"`
	}
	if len(result) == 0 {
		return nil, errors.New("prevResult is missing: this plugin stands behind one that gives addresses")
	}
	if err := json.Unmarshal(result, &parsed); err != nil {
		return nil, fmt.Errorf("read prevResult: %w", err)
	}
	var addresses []netip.Addr
	for _, ip := range parsed.IPs {
		prefix, err := netip.ParsePrefix(ip.Address)
		if err != nil {
			return nil, fmt.Errorf("read prevResult: %w", err)
		}
		addresses = append(addresses, prefix.Addr())
	}
	return addresses, nil
}

// podOf reads CNI_ARGS: names and values, separated by semicolons.
func podOf(arguments string) map[string]string {
	values := map[string]string{}
	for _, pair := range strings.Split(arguments, ";") {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return values
}
