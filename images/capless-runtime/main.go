// Command capless-runtime stands in front of runc on hosts whose root does not have every capability.
//
// Docker gives a privileged container all capabilities the kernel knows. Where the host's own bounding set lacks some of them (inside a restricted
// virtual machine or container), runc cannot grant those and every privileged container fails with "unable to apply caps". This program takes the
// capabilities out of the container's specification that nobody here could have, and then becomes runc: same process, same arguments, same exit code.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "capless-runtime:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if file := specFile(args); file != "" {
		bounding, err := boundingSet("/proc/self/status")
		if err != nil {
			return err
		}
		if err := stripFile(file, bounding); err != nil {
			return err
		}
	}
	runc, err := findRunc()
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{runc}, args...), os.Environ())
}

// findRunc looks on PATH first; a daemon may run with a PATH that lacks the sbin folders, where Debian keeps runc.
func findRunc() (string, error) {
	if path, err := exec.LookPath("runc"); err == nil {
		return filepath.Abs(path)
	}
	for _, path := range []string{"/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("runc is neither on PATH (%s) nor in the usual folders", os.Getenv("PATH"))
}
