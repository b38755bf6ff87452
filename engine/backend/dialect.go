package backend

import (
	"strconv"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
)

// Placeholder is the form in which a database takes parameters.
type Placeholder uint8

const (
	// Question is "?" for every parameter.
	Question Placeholder = iota
	// Dollar is "$1", "$2" and so on.
	Dollar
)

// Upsert is the form of an INSERT that updates the row if it exists already.
type Upsert uint8

const (
	// UpsertNone means that the database does not support it.
	UpsertNone Upsert = iota
	// UpsertOnConflict is ON CONFLICT (…) DO UPDATE.
	UpsertOnConflict
	// UpsertOnDuplicateKey is ON DUPLICATE KEY UPDATE.
	UpsertOnDuplicateKey
)

// Features are the capabilities of a database. The zero value has none of them.
type Features struct {
	// InsertReturning says that INSERT can have a RETURNING clause.
	InsertReturning bool
	// UpdateReturning says that UPDATE can have a RETURNING clause.
	UpdateReturning bool
	// DeleteReturning says that DELETE can have a RETURNING clause.
	DeleteReturning bool
	// Savepoints says that transactions can be nested by savepoints.
	Savepoints bool
	// ForUpdate says that SELECT … FOR UPDATE locks rows.
	ForUpdate bool
	// SkipLocked says that FOR UPDATE SKIP LOCKED is understood.
	SkipLocked bool
	// DefaultKeyword says that DEFAULT stands for a value in INSERT.
	DefaultKeyword bool
	// Upsert is the form of an INSERT that updates the row if it exists
	// already.
	Upsert Upsert
	// Pipelining says that a batch is sent in one round trip.
	Pipelining bool
	// MatchedRows says that an UPDATE reports the rows it matched, including
	// those whose values did not change.
	MatchedRows bool
	// LastInsertID says that the key an INSERT generated is reported without
	// a RETURNING clause.
	LastInsertID bool
}

// Dialect describes a database: what it is and how its SQL is written. A
// Dialect is shared and must not be changed once in use.
type Dialect struct {
	// System is the database management system.
	System sp.System
	// Version is the version that the server reports; empty if not known.
	Version string
	// Placeholder is the form of parameters.
	Placeholder Placeholder
	// Quote is the character around quoted names: '"' or '`'.
	Quote byte
	// Features are the database's capabilities.
	Features Features
	// AbortsTx says that once a statement has failed in a transaction, the
	// server itself refuses all later ones until the transaction is rolled
	// back.
	AbortsTx bool
	// NativeScan says that the driver's Scan knows the database's types, as
	// pgx's does, so that package engine adds no conversions.
	NativeScan bool
}

// QuoteName returns a name in quotes, so that it is taken literally. SQL can't
// express a NUL byte in a name: it is left out.
func (d *Dialect) QuoteName(name string) string {
	q := string(d.Quote)
	name = strings.ReplaceAll(name, "\x00", "")
	return q + strings.ReplaceAll(name, q, q+q) + q
}

// AppendPlaceholder appends the placeholder of parameter n, counted from 1.
func (d *Dialect) AppendPlaceholder(dst []byte, n int) []byte {
	if d.Placeholder == Dollar {
		return strconv.AppendInt(append(dst, '$'), int64(n), 10)
	}
	return append(dst, '?')
}
