package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// ofSession are the parameters that a server keeps for a session, and that
// therefore have no effect behind a transaction pooler.
var ofSession = []string{
	"search_path", "options", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
}

// readPooler reads whether a pooler in between gives each transaction any free
// connection.
func readPooler(p *backend.ParamReader) bool {
	if p.OneOf("pooler", "none", "none", "transaction") != "transaction" {
		return false
	}
	for _, name := range ofSession {
		if p.Has(name) {
			p.Fail(name, "is kept for a session, and with pooler=transaction there is none: set it for the role, by ALTER ROLE … SET …")
		}
	}
	return true
}

// pooled turns off named prepared statements, since only one connection of the
// pooler knows them. pgx instead caches the types of a statement's arguments
// and columns, which are valid on all connections; each execution is one
// complete round trip.
func pooled(c *pgx.ConnConfig) {
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	c.DescriptionCacheCapacity = c.StatementCacheCapacity
	c.StatementCacheCapacity = 0
}

// poolerError is an error for which a pooler in between is the reason.
type poolerError struct {
	err    error
	advice string
}

// Error returns the server's message and what to do.
func (e *poolerError) Error() string { return e.err.Error() + ": " + e.advice }

// Unwrap returns the server's error.
func (e *poolerError) Unwrap() error { return e.err }

// explain makes an error of pgx presentable: it hides the values of arguments,
// and adds what to do about errors that only occur behind a pooler.
func explain(err error) error {
	if err == nil {
		return nil
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return hideArgument(err)
	}
	switch pg.Code {
	case "26000", "42P05": // prepared on another connection than this; by someone else on this one
		if strings.Contains(pg.Message, "stmtcache_") {
			return &poolerError{err, "a pooler, it seems, hands statements to other connections than those that prepared them: set pooler=transaction in the URL"}
		}
	case "08P01":
		if _, name, ok := strings.Cut(pg.Message, "unsupported startup parameter"); ok {
			_, name, _ = strings.Cut(name, ": ")
			return &poolerError{err, fmt.Sprintf("a pooler refuses the parameter %q: set it for the role, by ALTER ROLE … SET …, and leave it out of the URL", name)}
		}
	}
	return err
}
