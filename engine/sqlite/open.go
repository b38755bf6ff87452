package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/sqlbackend"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

func init() { backend.Register("sqlite", opener{}) }

// opener opens SQLite databases.
type opener struct{}

// memory is the name of a database in memory.
const memory = ":memory:"

// settings are the parsed parameters of the URL.
type settings struct {
	busyTimeout time.Duration
	journal     string
	synchronous string
	foreignKeys bool
	cacheSize   int
	mode        string
	cached      int
}

// maxCache bounds cache_size, in either unit.
const maxCache = 1 << 30

// Bounds of statement_cache.
const (
	defaultCached = 64
	maxCached     = 1 << 14
)

func read(u *backend.URL) (settings, error) {
	switch {
	case u.Database == "":
		return settings{}, errors.New("engine: open: sqlite: no file: a database is named sqlite:file.db or sqlite::memory: in a URL")
	case u.User != "" || u.Port != 0 || len(u.More) > 0:
		return settings{}, errors.New("engine: open: sqlite: a file has no user and no port")
	}
	p := u.Read()
	s := settings{
		busyTimeout: p.Duration("busy_timeout", 5*time.Second),
		journal:     p.OneOf("journal_mode", "wal", "delete", "truncate", "persist", "memory", "wal", "off"),
		synchronous: p.OneOf("synchronous", "full", "off", "normal", "full", "extra"),
		foreignKeys: p.Bool("foreign_keys", true),
		cacheSize:   p.Int("cache_size", 0, -maxCache, maxCache),
		mode:        p.OneOf("mode", "rwc", "ro", "rw", "rwc"),
		cached:      p.Int("statement_cache", defaultCached, 0, maxCached),
	}
	if u.Database == memory && p.Has("mode") {
		p.Fail("mode", "a database in memory has none")
	}
	return s, p.Err()
}

// dsn returns the driver's data source name, for a connection that only reads
// or that writes.
func (s settings) dsn(path string, readOnly bool) string {
	v := url.Values{"_time_format": {"sqlite"}, "_timezone": {"UTC"}, "_txlock": {"immediate"}}
	pragma := func(name, value string) { v.Add("_pragma", name+"("+value+")") }
	pragma("busy_timeout", strconv.FormatInt(s.busyTimeout.Milliseconds(), 10))
	if s.mode != "ro" && path != memory {
		pragma("journal_mode", s.journal)
	}
	pragma("synchronous", s.synchronous)
	pragma("foreign_keys", strconv.FormatBool(s.foreignKeys))
	if s.cacheSize != 0 {
		pragma("cache_size", strconv.Itoa(s.cacheSize))
	}
	if readOnly {
		pragma("query_only", "true")
	}
	if path == memory {
		return memory + "?" + v.Encode()
	}
	v.Set("mode", s.mode)
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

// connector returns the connector for connections that only read or that write.
func (s settings) connector(path string, readOnly bool) (*connector, error) {
	dsn := s.dsn(path, readOnly)
	name, err := dbname.Parse("sqlite", nil, dsn)
	if err != nil {
		return nil, fmt.Errorf("engine: open: sqlite: %w", err)
	}
	return &connector{dsn: dsn, target: name.Target, path: path, cached: s.cached}, nil
}

// Open implements [backend.Opener].
func (opener) Open(u *backend.URL, cfg backend.Config) (backend.DB, error) {
	s, err := read(u)
	if err != nil {
		return nil, err
	}
	write, err := s.connector(u.Database, false)
	if err != nil {
		return nil, err
	}
	c := sqlbackend.Config{
		Connector: write, Chain: cfg.Chain,
		Size: 1, Timeout: cfg.PoolTimeout, Recycle: cfg.PoolRecycle, Normalize: normalize,
	}
	if u.Database == memory {
		c.Recycle = 0 // the connection is the database
		pool := sqlbackend.New(c)
		return &database{dialect: dialect(), writer: pool, readers: pool}, nil
	}
	b := &database{dialect: dialect(), writer: sqlbackend.New(c)}
	if c.Connector, err = s.connector(u.Database, true); err != nil {
		return nil, err
	}
	c.Size, c.Overflow = cfg.PoolSize, cfg.MaxOverflow
	b.readers = sqlbackend.New(c)
	return b, nil
}

func dialect() *backend.Dialect {
	return &backend.Dialect{
		System: sp.SQLite, Placeholder: backend.Question, Quote: '"',
		Features: backend.Features{
			InsertReturning: true, UpdateReturning: true, DeleteReturning: true,
			Savepoints: true, Upsert: backend.UpsertOnConflict, MatchedRows: true, LastInsertID: true,
		},
	}
}

// normalize turns values of columns declared BOOL or BOOLEAN into bools.
func normalize(columnType string, value any) any {
	if n, ok := value.(int64); ok && (columnType == "BOOLEAN" || columnType == "BOOL") {
		return n != 0
	}
	return value
}

// unsupported returns the error for an isolation level that SQLite does not
// have.
func unsupported(what fmt.Stringer) error {
	return fmt.Errorf("engine: begin: sqlite has no isolation level %s, only Serializable: %w", what, errors.ErrUnsupported)
}
