// Package testenv runs real Redis and Postgres servers for tests, each on a port and in a folder of its own, and
// lets a test kill and restart them.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a process that listens on a port and keeps its data through restarts.
type Server struct {
	Port    int
	t       testing.TB
	name    string
	command func() *exec.Cmd
	ready   func() error
	process *exec.Cmd
}

// Redis starts a Redis server that answers a write only once it is on disk. Arguments are added to its own.
func Redis(t testing.TB, arguments ...string) *Server {
	t.Helper()
	binary := find(t, "redis-server", "redis-server")
	folder, port := t.TempDir(), freePort(t)
	s := &Server{Port: port, t: t, name: "redis-server"}
	s.command = func() *exec.Cmd {
		own := []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
			"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}
		return exec.Command(binary, append(own, arguments...)...)
	}
	s.ready = func() error {
		connection, err := net.DialTimeout("tcp", s.Address(), time.Second)
		if err != nil {
			return err
		}
		return connection.Close()
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Postgres starts a Postgres server whose superuser postgres needs no password on loopback.
func Postgres(t testing.TB) *Server {
	t.Helper()
	initdb, postgres := find(t, "initdb", "postgresql-15"), find(t, "postgres", "postgresql-15")
	credential := unprivileged(t)
	folder, port := t.TempDir(), freePort(t)
	data := filepath.Join(folder, "data")
	if credential != nil {
		// Go makes the parents of TempDir for the current user alone when its umask says so.
		for _, path := range []string{folder, filepath.Dir(folder)} {
			must(t, os.Chmod(path, 0o755))
		}
		must(t, os.Chown(folder, int(credential.Uid), int(credential.Gid)))
	}
	run := func(binary string, arguments ...string) *exec.Cmd {
		c := exec.Command(binary, arguments...)
		c.Dir = folder
		c.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		return c
	}
	if output, err := run(initdb, "--pgdata", data, "--auth", "trust", "--username", "postgres", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	s := &Server{Port: port, t: t, name: "postgres"}
	s.command = func() *exec.Cmd {
		// fsync guards against a machine that dies, not against a process that does.
		return run(postgres, "-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", folder, "-c", "fsync=off")
	}
	// It listens before it has started, and recovers first after a kill.
	s.ready = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		connection, err := pgx.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", port))
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Address is host:port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Start starts the server and returns once it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.process = s.command()
	must(s.t, s.process.Start())
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := s.ready()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is not ready on %s after 20 s: %v", s.name, s.Address(), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends the server as a crash would. The backends of Postgres notice and end by themselves.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	s.process = nil
}

// Pause stops the server without closing its connections, as a hanging machine would; the result resumes it.
func (s *Server) Pause() (resume func()) {
	pid := s.process.Process.Pid
	must(s.t, syscall.Kill(pid, syscall.SIGSTOP))
	return func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
}

// find looks for a binary in PATH and where Debian keeps those of Postgres.
func find(t testing.TB, binary, debianPackage string) string {
	t.Helper()
	if path, err := exec.LookPath(binary); err == nil {
		return path
	}
	matches, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + binary)
	if len(matches) > 0 {
		return matches[len(matches)-1]
	}
	t.Fatalf("%s is not installed; install it: apt-get install %s", binary, debianPackage)
	return ""
}

// unprivileged is whom Postgres runs as, since it refuses to run as root; nil means as the current user.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("Postgres does not run as root and there is no user postgres: %v", err)
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	must(t, errors.Join(err1, err2))
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// Eventually waits until check returns nil, and fails the test with its last error otherwise.
func Eventually(t testing.TB, what string, within time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, within, err)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("test environment: %w", err))
	}
}
