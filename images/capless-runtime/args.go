package main

import (
	"path/filepath"
	"strings"
)

// globalValueFlags are runc's flags before the command that take a value as an argument of its own.
var globalValueFlags = map[string]bool{"root": true, "log": true, "log-format": true, "criu": true, "rootless": true}

// specFile names the file of this call that lists capabilities, or "" when the call has none (start, kill, delete, ...):
// the bundle's config.json for create and run, the process file for exec.
func specFile(args []string) string {
	command, rest := splitCommand(args)
	switch command {
	case "create", "run", "restore":
		bundle, ok := flagValue(rest, "bundle", "b")
		if !ok {
			bundle = "." // runc's default is the working directory
		}
		return filepath.Join(bundle, "config.json")
	case "exec":
		process, _ := flagValue(rest, "process", "p")
		return process
	}
	return ""
}

// splitCommand finds runc's command behind its global flags.
func splitCommand(args []string) (string, []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") {
			return arg, args[i+1:]
		}
		name := strings.TrimLeft(arg, "-")
		if !strings.Contains(name, "=") && globalValueFlags[name] {
			i++
		}
	}
	return "", nil
}

// flagValue reads a flag in any of the forms runc accepts: -b X, --bundle X, --bundle=X.
func flagValue(args []string, names ...string) (string, bool) {
	for i, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			continue
		}
		name, value, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		for _, wanted := range names {
			if name != wanted {
				continue
			}
			if inline {
				return value, true
			}
			if i+1 < len(args) {
				return args[i+1], true
			}
		}
	}
	return "", false
}
