package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func lookup(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestDefaults(t *testing.T) {
	c, err := FromEnvironment(lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.RedisAddress != "redis-service:6379" || c.Postgres.Host != "postgres-service" || c.Port != 8081 || c.HeartbeatTTL != 15*time.Second {
		t.Fatalf("got %+v", c)
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	_, err := FromEnvironment(lookup(map[string]string{
		"REDIS_PORT": "high", "BATCH_LIMIT": "0", "LOG_LEVEL": "loud", "POSTGRES_PASSWORD_FILE": "/does/not/exist",
	}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`REDIS_PORT="high"`, `BATCH_LIMIT="0"`, "from 1 to 5000", `LOG_LEVEL="loud"`, "debug, info", "POSTGRES_PASSWORD_FILE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from: %v", want, err)
		}
	}
}

func TestASecretFileWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := FromEnvironment(lookup(map[string]string{"REDIS_PASSWORD": "from-value", "REDIS_PASSWORD_FILE": path}))
	if err != nil || c.RedisPassword != "from-file" {
		t.Fatalf("got %q, %v", c.RedisPassword, err)
	}
}
