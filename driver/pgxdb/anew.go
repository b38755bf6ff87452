package pgxdb

import (
	"slices"

	"github.com/jackc/pgx/v5"
)

// An attempt may leave nothing in what the next one sends: pgx keeps in a batch
// what it has prepared on one connection, and a [pgx.QueryRewriter] may write
// into the arguments it is given. So under an interceptor that may make a second
// attempt each one gets copies.

// batchFor returns the batch that this attempt sends for the caller's.
func (s *stmtCall) batchFor(b *pgx.Batch) *pgx.Batch {
	if !s.call.Retried() {
		return b
	}
	own := *b
	own.QueuedQueries = make([]*pgx.QueuedQuery, len(b.QueuedQueries))
	queries := make([]pgx.QueuedQuery, len(b.QueuedQueries))
	for i, q := range b.QueuedQueries {
		queries[i] = pgx.QueuedQuery{SQL: q.SQL, Arguments: argumentsFor(q.Arguments), Fn: q.Fn}
		own.QueuedQueries[i] = &queries[i]
	}
	return &own
}

// arguments returns the arguments that this attempt sends. A rewriter among them
// tells the call what it has made of the text; if there is none, the unit of work
// is told of the text here.
func (s *stmtCall) arguments() []any {
	args, told := s.args, false
	if s.call.Retried() {
		args = argumentsFor(args)
	}
	for i := 0; i < options(s.args); i++ {
		if by, ok := rewrites(s.args[i]); ok {
			if !told {
				args, told = slices.Clone(args), true
			}
			args[i] = rewriting{by, s}
		}
	}
	if !told {
		s.announce(s.call.Text)
	}
	return args
}

// options returns how many arguments are not the statement's, but say how it is
// to be sent. They are the first.
func options(args []any) int {
	for i, arg := range args {
		switch arg.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID, pgx.QueryRewriter:
		default:
			return i
		}
	}
	return len(args)
}

// argumentsFor returns args, or a copy if something may write into them.
func argumentsFor(args []any) []any {
	for _, arg := range args[:options(args)] {
		if _, ok := arg.(pgx.QueryRewriter); ok {
			return slices.Clone(args)
		}
	}
	return args
}

// lateCallbacks takes over the functions that the caller has queued after the
// batch was sent.
func lateCallbacks(own, callers *pgx.Batch) {
	if own == callers {
		return
	}
	for i, q := range callers.QueuedQueries {
		if i < len(own.QueuedQueries) {
			own.QueuedQueries[i].Fn = q.Fn
		}
	}
}
