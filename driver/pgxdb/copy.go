package pgxdb

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
)

// A RestartableSource is a [pgx.CopyFromSource] that can start over. A COPY
// from any other source is never retried: its rows are gone.
type RestartableSource interface {
	pgx.CopyFromSource
	// Restart makes the next call of Next return the first row again. It is
	// called before a second attempt; if it returns an error, the attempt fails
	// with it.
	Restart() error
}

func (e *executor) copyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	if e.bare(ctx, sp.OpCopy) {
		return e.raw.CopyFrom(ctx, table, columns, src)
	}
	s := e.call(ctx, sp.OpCopy, copyText(table, columns), nil)
	again, attempts := src.(RestartableSource)
	s.Restartable = attempts
	first := true
	s.act = func(ctx context.Context, s *stmtCall) error {
		if !first && again != nil {
			if err := again.Restart(); err != nil {
				return err
			}
		}
		first = false
		n, err = s.on.CopyFrom(ctx, table, columns, src)
		if err == nil {
			s.RowsAffected = n
		}
		return err
	}
	if err := s.finish(ctx); err != nil {
		return n, err
	}
	return n, nil
}

// copyText is the statement that pgx sends, near enough.
func copyText(table pgx.Identifier, columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	return "COPY " + table.Sanitize() + " (" + strings.Join(quoted, ", ") + ") FROM STDIN"
}
