package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSpecFile(t *testing.T) {
	tests := []struct {
		name string
		args string
		want string
	}{
		{"docker's create", "--root /run/docker/runtime-runc/moby --log /b/log.json --log-format json create --bundle /b --pid-file /b/init.pid id", "/b/config.json"},
		{"systemd cgroups", "--systemd-cgroup --root /r create --bundle=/b id", "/b/config.json"},
		{"short flag", "run -b /b id", "/b/config.json"},
		{"working directory", "create id", "config.json"},
		{"exec with a process file", "--root=/r exec --process /tmp/p --detach id", "/tmp/p"},
		{"exec with a command", "exec id ls --bundle", ""},
		{"start", "--root /r start id", ""},
		{"a root called create", "--root create kill id", ""},
		{"nothing", "--version", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := specFile(strings.Fields(test.args)); got != test.want {
				t.Errorf("specFile(%q) = %q, want %q", test.args, got, test.want)
			}
		})
	}
}

func TestBoundingSet(t *testing.T) {
	file := write(t, "status", "Name:\tx\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n")
	set, err := boundingSet(file)
	if err != nil {
		t.Fatal(err)
	}
	if set["CAP_SYS_RESOURCE"] || !set["CAP_SYS_ADMIN"] || !set["CAP_CHOWN"] || !set["CAP_CHECKPOINT_RESTORE"] {
		t.Errorf("wrong set: %v", set)
	}
	if _, err := boundingSet(write(t, "empty", "")); err == nil {
		t.Error("a status without CapBnd must be an error: an empty set would strip everything")
	}
}

var allButResource = func() map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = name != "CAP_SYS_RESOURCE"
	}
	return set
}()

func TestStripKeepsEverythingElse(t *testing.T) {
	before := `{"ociVersion":"1.0","future":{"<a>":[1,2.5,null]},"linux":{"resources":{"memory":{"limit":9223372036854775807}}},
		"process":{"args":["a&b"],"rlimits":[{"type":"RLIMIT_NOFILE","hard":18446744073709551615}],"capabilities":{
		"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"],"permitted":["CAP_CHOWN"]}}}`
	after, changed, err := strip([]byte(before), allButResource)
	if err != nil || !changed {
		t.Fatalf("changed %v, error %v", changed, err)
	}
	want := strings.NewReplacer(`,"CAP_SYS_RESOURCE"`, "", `"CAP_SYS_RESOURCE"`, "").Replace(before)
	if !reflect.DeepEqual(parse(t, string(after)), parse(t, want)) {
		t.Errorf("got %s", after)
	}
	for _, exact := range []string{"9223372036854775807", "18446744073709551615", "a&b", "<a>"} {
		if !strings.Contains(string(after), exact) {
			t.Errorf("%s did not come through: %s", exact, after)
		}
	}
}

func TestStripOfAProcessFile(t *testing.T) {
	after, changed, err := strip([]byte(`{"args":["sh"],"capabilities":{"bounding":["CAP_SYS_RESOURCE"]}}`), allButResource)
	if err != nil || !changed || strings.Contains(string(after), "CAP_SYS_RESOURCE") {
		t.Errorf("changed %v, error %v: %s", changed, err, after)
	}
}

func TestFileIsTouchedOnlyWhenNeeded(t *testing.T) {
	content := "{ \"process\": {\"capabilities\": {\"bounding\": [\"CAP_CHOWN\"]}} }\n"
	file := write(t, "config.json", content)
	before, _ := os.Stat(file)
	if err := stripFile(file, allButResource); err != nil {
		t.Fatal(err)
	}
	after, _ := os.Stat(file)
	if !os.SameFile(before, after) {
		t.Error("the file was replaced although nothing had to change")
	}
}

func TestFileKeepsItsModeAndLeavesNothingBeside(t *testing.T) {
	file := write(t, "config.json", `{"process":{"capabilities":{"bounding":["CAP_SYS_RESOURCE"]}}}`)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := stripFile(file, allButResource); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(file)
	entries, _ := os.ReadDir(filepath.Dir(file))
	if info.Mode().Perm() != 0o640 || len(entries) != 1 {
		t.Errorf("mode %v, entries %v", info.Mode(), entries)
	}
}

func TestBrokenSpecIsAnError(t *testing.T) {
	if err := stripFile(write(t, "config.json", `{"process":`), allButResource); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("the error must name the file: %v", err)
	}
}

// The program itself, with a script in runc's place that shows its arguments and the file it would have read.
func TestBecomesRunc(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "capless-runtime")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	script := "#!/bin/sh\necho \"$@\"\nexit 7\n"
	if err := os.WriteFile(filepath.Join(folder, "runc"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "--root", "/r", "state", "id with space")
	command.Env = []string{"PATH=" + folder + ":/usr/bin:/bin"}
	out, err := command.Output()
	if string(out) != "--root /r state id with space\n" || command.ProcessState.ExitCode() != 7 {
		t.Errorf("%q, %v", out, err)
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func parse(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
