// Package config reads the worker's settings from environment variables.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/org/k8s-platform/voting-app/worker/internal/store"
)

// Config is everything the worker can be told.
type Config struct {
	Pod           string
	Port          int
	LogLevel      slog.Level
	RedisAddress  string
	RedisPassword string
	Postgres      store.Options
	BatchLimit    int
	HeartbeatTTL  time.Duration
}

// FromEnvironment reads the settings; the error names every bad one at once.
func FromEnvironment(lookup func(string) string) (Config, error) {
	r := reader{lookup: lookup}
	c := Config{
		Pod:           r.text("POD_NAME", r.text("HOSTNAME", "worker")),
		Port:          r.number("PORT", 8081, 1, 65535),
		RedisPassword: r.secret("REDIS_PASSWORD"),
		RedisAddress:  net.JoinHostPort(r.text("REDIS_HOST", "redis-service"), strconv.Itoa(r.number("REDIS_PORT", 6379, 1, 65535))),
		Postgres: store.Options{
			Host:         r.text("POSTGRES_HOST", "postgres-service"),
			Port:         r.number("POSTGRES_PORT", 5432, 1, 65535),
			User:         r.text("POSTGRES_USER", "postgres"),
			Database:     r.text("POSTGRES_DB", "postgres"),
			SSLMode:      r.choice("POSTGRES_SSLMODE", "prefer", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
			Password:     lookup("POSTGRES_PASSWORD"),
			PasswordFile: lookup("POSTGRES_PASSWORD_FILE"),
		},
		BatchLimit:   r.number("BATCH_LIMIT", 200, 1, 5000),
		HeartbeatTTL: time.Duration(r.number("HEARTBEAT_TTL_SECONDS", 15, 3, 600)) * time.Second,
	}
	level := r.choice("LOG_LEVEL", "info", "debug", "info", "warn", "warning", "error")
	if level == "warning" {
		level = "warn"
	}
	if err := c.LogLevel.UnmarshalText([]byte(level)); err != nil && len(r.problems) == 0 {
		r.problems = append(r.problems, err)
	}
	if _, err := os.Stat(c.Postgres.PasswordFile); c.Postgres.PasswordFile != "" && err != nil {
		r.problems = append(r.problems, fmt.Errorf("POSTGRES_PASSWORD_FILE=%q: cannot be read: %w", c.Postgres.PasswordFile, err))
	}
	return c, errors.Join(r.problems...)
}

type reader struct {
	lookup   func(string) string
	problems []error
}

func (r *reader) text(name, fallback string) string {
	if value := r.lookup(name); value != "" {
		return value
	}
	return fallback
}

func (r *reader) number(name string, fallback, low, high int) int {
	raw := r.lookup(name)
	if raw == "" {
		return fallback
	}
	value, err := strconv.Atoi(raw)
	if err != nil || value < low || value > high {
		r.problems = append(r.problems, fmt.Errorf("%s=%q: allowed is a whole number from %d to %d, for example %d", name, raw, low, high, fallback))
		return fallback
	}
	return value
}

func (r *reader) choice(name, fallback string, allowed ...string) string {
	value := r.text(name, fallback)
	for _, candidate := range allowed {
		if value == candidate {
			return value
		}
	}
	r.problems = append(r.problems, fmt.Errorf("%s=%q: allowed is one of %s", name, value, strings.Join(allowed, ", ")))
	return fallback
}

// secret reads the file named by <name>_FILE, or <name> itself.
func (r *reader) secret(name string) string {
	path := r.lookup(name + "_FILE")
	if path == "" {
		return r.lookup(name)
	}
	value, err := os.ReadFile(path)
	if err != nil {
		r.problems = append(r.problems, fmt.Errorf("%s_FILE=%q: cannot be read: %w", name, path, err))
	}
	return strings.TrimSpace(string(value))
}
