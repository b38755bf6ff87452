package postgres

import (
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// dialect describes a server. The features it promises exist since PostgreSQL
// 9.5, which introduced SKIP LOCKED and ON CONFLICT.
func dialect(system sp.System, version string) *backend.Dialect {
	return &backend.Dialect{
		System: system, Version: version, Placeholder: backend.Dollar, Quote: '"', NativeScan: true, AbortsTx: true,
		Features: backend.Features{
			InsertReturning: true, UpdateReturning: true, DeleteReturning: true,
			Savepoints: true, ForUpdate: true, SkipLocked: true, DefaultKeyword: true,
			Upsert: backend.UpsertOnConflict, Pipelining: true, MatchedRows: true,
		},
	}
}
