package postgres

import (
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// dialect describes a server. What it promises is there from PostgreSQL 9.5 on
// (SKIP LOCKED and ON CONFLICT are of that release).
func dialect(system sp.System, version string) *engine.Dialect {
	return &engine.Dialect{
		System: system, Version: version, Placeholder: engine.Dollar, Quote: '"', NativeScan: true, AbortsTx: true,
		Features: engine.Features{
			InsertReturning: true, UpdateReturning: true, DeleteReturning: true,
			Savepoints: true, ForUpdate: true, SkipLocked: true, DefaultKeyword: true,
			Upsert: engine.UpsertOnConflict, Pipelining: true, MatchedRows: true,
		},
	}
}
