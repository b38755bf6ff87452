package sqldb

import (
	"database/sql"

	sp "github.com/sessionproxy/sessionproxy"
)

// PoolStats returns the state of the pool of any *sql.DB, for metrics.
// database/sql does not report how many callers are waiting, how many gave up,
// or its limits on idle connections. It does not block for longer than
// [sql.DB.Stats] does, and is safe for concurrent use.
func PoolStats(db *sql.DB) sp.PoolStats {
	s := db.Stats()
	out := sp.PoolStats{
		Idle: int64(s.Idle), Used: int64(s.InUse), Max: int64(s.MaxOpenConnections),
		IdleMax: sp.UnknownCount, IdleMin: sp.UnknownCount, Pending: sp.UnknownCount, Timeouts: sp.UnknownCount,
	}
	if s.MaxOpenConnections <= 0 { // as many as are asked for
		out.Max = sp.UnknownCount
	}
	return out
}
