// Package store counts votes in Postgres, each exactly once.
package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/org/k8s-platform/voting-app/worker/internal/vote"
)

// Channel is where a commit is announced, with the highest sequence in it.
const Channel = "votes"

// migrationLock keeps workers that start together from creating the schema together, which Postgres answers with
// a unique violation even for IF NOT EXISTS. The number is arbitrary and must not change.
const migrationLock = 7_306_083_125

const (
	connectTimeout = 2 * time.Second
	countTimeout   = 10 * time.Second
	pingTimeout    = 2 * time.Second
)

//go:embed schema.sql
var schema string

//go:embed count.sql
var count string

// Options say how to reach Postgres. PasswordFile wins over Password and is read at each connect, so that a
// rotated secret needs no restart.
type Options struct {
	Host, User, Database, SSLMode string
	Port                          int
	Password, PasswordFile        string
}

// Store is a pool of connections. Its methods may be called at the same time.
type Store struct {
	pool     *pgxpool.Pool
	migrated atomic.Bool
}

// Rejected says that Postgres refuses these votes as data, whatever the moment.
type Rejected struct{ Reason string }

func (r *Rejected) Error() string { return "postgres rejects the vote: " + r.Reason }

// Open makes a Store; it connects on first use.
func Open(ctx context.Context, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	connect, err := pgx.ParseConfig(keywords(map[string]string{
		"host": o.Host, "port": strconv.Itoa(o.Port), "user": o.User, "dbname": o.Database, "sslmode": o.SSLMode,
		"application_name": "voting-app-worker", "password": "unset",
	}))
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	connect.ConnectTimeout = connectTimeout
	connect.Password = o.Password
	config.ConnConfig = connect
	config.MaxConns = 3
	config.MaxConnIdleTime = time.Minute
	config.HealthCheckPeriod = 15 * time.Second
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		if o.PasswordFile == "" {
			return nil
		}
		password, err := os.ReadFile(o.PasswordFile)
		c.Password = strings.TrimSpace(string(password))
		return err
	}
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		// A vote leaves Redis after commit, so commit must mean durable, whatever the server's default.
		_, err := c.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Close drops the connections.
func (s *Store) Close() { s.pool.Close() }

// Migrate creates what is missing of the schema. Any number of workers may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: create the schema: %w", err)
	}
	s.migrated.Store(true)
	return nil
}

// Count records votes in one transaction and announces it. It returns how many of them were new; the others had
// been counted before. A *Rejected error is about the votes, any other about the moment.
func (s *Store) Count(ctx context.Context, votes []vote.Vote) (int, error) {
	if !s.migrated.Load() {
		if err := s.Migrate(ctx); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	ids, voters, choices := make([]string, len(votes)), make([]string, len(votes)), make([]string, len(votes))
	sequences, accepted := make([]int64, len(votes)), make([]time.Time, len(votes))
	for i, v := range votes {
		ids[i], voters[i], choices[i], sequences[i], accepted[i] = v.ID, v.Voter, v.Choice, v.Sequence, v.AcceptedAt
	}
	var counted int
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var last int64
		if err := tx.QueryRow(ctx, count, ids, voters, choices, sequences, accepted).Scan(&counted, &last); err != nil {
			return err
		}
		if counted == 0 {
			return nil
		}
		_, err := tx.Exec(ctx, "SELECT pg_notify($1, $2)", Channel, strconv.FormatInt(last, 10))
		return err
	})
	if err == nil {
		return counted, nil
	}
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		switch {
		case refusal.Code == "42P01":
			// The tables are gone: another database came up under the same name.
			s.migrated.Store(false)
		case strings.HasPrefix(refusal.Code, "22"), strings.HasPrefix(refusal.Code, "23"):
			return 0, &Rejected{Reason: refusal.Message}
		}
	}
	return 0, fmt.Errorf("postgres: count votes: %w", err)
}

// Ping reports whether Postgres answers and takes writes.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var readOnly string
	if err := s.pool.QueryRow(ctx, "SHOW transaction_read_only").Scan(&readOnly); err != nil {
		return fmt.Errorf("postgres: ping: %w", err)
	}
	if readOnly == "on" {
		return errors.New("postgres: read-only")
	}
	return nil
}

// keywords renders a connection string; values are quoted as libpq wants them.
func keywords(values map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	parts := make([]string, 0, len(values))
	for name, value := range values {
		parts = append(parts, fmt.Sprintf("%s='%s'", name, escape.Replace(value)))
	}
	return strings.Join(parts, " ")
}
