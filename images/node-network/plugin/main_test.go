package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/org/k8s-platform/images/node-network/internal/policy/gate"
)

const result = `{"cniVersion":"0.4.0","interfaces":[{"name":"eth0"}],"ips":[{"version":"4","address":"10.244.1.5/24","gateway":"10.244.1.1"}]}`

type keeper struct {
	admitted  []gate.Announcement
	dismissed []string
	answer    error
}

func (k *keeper) Admit(_ context.Context, a gate.Announcement) error {
	k.admitted = append(k.admitted, a)
	return k.answer
}

func (k *keeper) Dismiss(container string) error {
	k.dismissed = append(k.dismissed, container)
	return k.answer
}

func serve(t *testing.T, directory string, k *keeper) {
	t.Helper()
	listener, err := gate.Listen(directory)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { gate.Serve(ctx, listener, k, slog.New(slog.NewTextHandler(io.Discard, nil))); close(served) }()
	t.Cleanup(func() { cancel(); <-served })
}

func call(command, directory, previous string) (string, error) {
	var output strings.Builder
	environment := map[string]string{
		"CNI_COMMAND": command, "CNI_CONTAINERID": "abc123",
		"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc123;K8S_POD_UID=1-2-3",
	}
	input := `{"cniVersion":"0.4.0","name":"k8s-platform","type":"k8s-platform-policy","runDirectory":"` + directory + `"` + previous + `}`
	err := run(func(name string) string { return environment[name] }, strings.NewReader(input), &output)
	return output.String(), err
}

func TestAddPassesTheResultOnOnceTheAgentSaysYes(t *testing.T) {
	directory, k := t.TempDir(), &keeper{}
	serve(t, directory, k)
	output, err := call("ADD", directory, `,"prevResult":`+result)
	if err != nil || strings.TrimSpace(output) != result {
		t.Errorf("output %s, error %v", output, err)
	}
	if len(k.admitted) != 1 || k.admitted[0].Addresses[0].String() != "10.244.1.5" || k.admitted[0].Name != "web-0" ||
		k.admitted[0].Namespace != "shop" || k.admitted[0].UID != "1-2-3" || k.admitted[0].Container != "abc123" {
		t.Errorf("the agent was told %+v", k.admitted)
	}
	if _, err := call("DEL", directory, ""); err != nil || len(k.dismissed) != 1 || k.dismissed[0] != "abc123" {
		t.Errorf("the agent was told that %v ended, error %v", k.dismissed, err)
	}
}

func TestAddFailsWhenTheAgentSaysNo(t *testing.T) {
	directory := t.TempDir()
	serve(t, directory, &keeper{answer: errors.New("the kernel refuses")})
	output, err := call("ADD", directory, `,"prevResult":`+result)
	if err == nil || !strings.Contains(err.Error(), "pod shop/web-0: the kernel refuses") || output != "" {
		t.Errorf("output %q, error %v", output, err)
	}
}

func TestDeleteWithoutAnAgentRemovesTheNote(t *testing.T) {
	directory := t.TempDir()
	if err := gate.NewNotes(directory).Save(gate.Note{Announcement: gate.Announcement{Container: "abc123"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := call("DEL", directory, ""); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(directory + "/pods"); len(left) != 0 {
		t.Errorf("notes left: %v", left)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ command, directory, previous, says string }{
		{"ADD", "/run/x", "", "prevResult is missing"},
		{"ADD", "/run/x", `,"prevResult":{"ips":[{"address":"10.0.0.1"}]}`, "read prevResult"},
		{"ADD", "", `,"prevResult":` + result, "runDirectory is missing"},
		{"MOVE", "/run/x", "", `CNI_COMMAND is "MOVE"`},
	} {
		if _, err := call(c.command, c.directory, c.previous); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

func TestNotesRefuseNamesThatAreNoIdentifiers(t *testing.T) {
	directory := t.TempDir()
	if err := gate.NewNotes(directory).Save(gate.Note{Announcement: gate.Announcement{Container: "../escape"}}); err == nil {
		t.Error("a note was written outside of its directory")
	}
}
