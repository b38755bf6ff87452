package fault

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/sessionproxy/sessionproxy/fault/internal/shape"
)

// Rules that belong to no table of codes.
var (
	unknown        = rule{ClassUnknown, stop, BreakerExclude, 0}
	rejected       = rule{ClassRejected, stop, BreakerExclude, unsent}
	poolTimeout    = rule{ClassPoolTimeout, reconnect, BreakerExclude, unsent | slow | interrupt}
	connectTimeout = rule{ClassConnect, reconnect, BreakerFailure, unsent}
	connectUnknown = rule{ClassConnect, stop, BreakerFailure, unsent}
	connectionLost = rule{ClassConnectionLost, ifHarmless, BreakerFailure, discard | interrupt}
	wrongRole      = rule{ClassConnect, reconnect, BreakerExclude, unsent}
	noRows         = rule{ClassNotFound, stop, BreakerSuccess, answer | done}
	unfit          = rule{ClassData, stop, BreakerSuccess, answer | done} // rows came, and do not fit the destination
	unsendable     = rule{ClassData, stop, BreakerExclude, unsent}        // arguments that no driver can send
	wrongState     = rule{ClassState, stop, BreakerExclude, unsent | interrupt}
	txOver         = wrongState.with(mayUndo) // the transaction has ended before: whoever did it knows how
	unusable       = rule{ClassState, stop, BreakerExclude, unsent | discard | kept | interrupt}
	unsupported    = rule{ClassUnsupported, stop, BreakerExclude, unsent}
	// COMMIT of a transaction that had failed before was answered by ROLLBACK.
	// What failed first is the error to act on, as for SQLSTATE 25P02.
	rolledBack = rule{ClassState, stop, BreakerSuccess, answer | notCommitted | undone}
)

// stale is a lost race that the program has found: the statement did its work, on
// no row.
var stale = rule{ClassSerialization, replay, BreakerSuccess, answer | done | contention}

// marked are the errors that set a mark, matched by identity or Is method.
var marked = [...]struct {
	err  error
	mark mark
}{
	{ErrCommitUnknown, markCommitUnknown},
	{ErrRejected, markRejected},
	{ErrAttemptTimeout, markAttempt},
	{context.Canceled, markCanceled},
	{context.DeadlineExceeded, markDeadline},
}

// sentinels are the errors known by identity or by an Is method.
var sentinels = [...]struct {
	err  error
	rule rule
	rank rank
}{
	{ErrPoolTimeout, poolTimeout, rankDriver},
	{ErrStale, stale, rankDriver},
	{sql.ErrNoRows, noRows, rankDriver}, // pgx.ErrNoRows matches it too
	{sql.ErrTxDone, txOver, rankDriver},
	{sql.ErrConnDone, wrongState, rankDriver},
	{driver.ErrBadConn, connectionLost, rankDriver},
	{driver.ErrSkip, unsupported, rankDriver},
	{driver.ErrRemoveArgument, unsupported, rankDriver},
	{errors.ErrUnsupported, unsupported, rankNetwork}, // an errno may match it
	{io.EOF, connectionLost, rankNetwork},
	{io.ErrUnexpectedEOF, connectionLost, rankNetwork},
	{io.ErrClosedPipe, connectionLost, rankNetwork},
	{io.ErrShortWrite, connectionLost, rankNetwork},
	{net.ErrClosed, connectionLost, rankNetwork},
	{os.ErrDeadlineExceeded, connectionLost, rankNetwork},
	{syscall.ECONNREFUSED, connectionLost, rankNetwork},
	{syscall.ECONNRESET, connectionLost, rankNetwork},
	{syscall.ECONNABORTED, connectionLost, rankNetwork},
	{syscall.EPIPE, connectionLost, rankNetwork},
	{syscall.ETIMEDOUT, connectionLost, rankNetwork},
}

// texts are the errors that drivers make by errors.New and that can't be named
// without an import of the driver.
var texts = map[string]rule{
	// go-sql-driver/mysql, errors.go
	"invalid connection": connectionLost, // read failed, after the command was sent
	"bad connection":     connectionLost, // nothing written, if it is the driver's own: Progress has to say so
	"commands out of sync. You can't run this command now":           connectionLost,
	"commands out of sync. Did you run multiple statements at once?": connectionLost,
	"malformed packet": connectionLost,
	"busy buffer":      unusable,
	"packet for query is too large. Try adjusting the `Config.MaxAllowedPacket`": unsendable,
	// pgx, pgconn/errors.go, tx.go, rows.go; puddle, pool.go
	"conn closed":  connectionLost,
	"tx is closed": txOver,
	"commit unexpectedly resulted in rollback": rolledBack,
	"too many rows in result set":              unfit,
	"closed pool":                              wrongState,
	// lib/pq, conn.go; the second up to 1.10.9
	"pq: could not complete operation in a failed transaction": rolledBack,
	"pq: Could not complete operation in a failed transaction": rolledBack,
}

// roles are what drivers say of a host that is sound, and not of the kind that
// target_session_attrs asks for: pgx, pgconn/config.go; lib/pq, conn.go. While
// a standby is being promoted, all hosts answer so.
var roles = map[string]bool{
	"read only connection":              true,
	"connection is not read only":       true,
	"session is read-only":              true,
	"session is not read-only":          true,
	"server is in standby mode":         true,
	"server is in hot standby mode":     true,
	"server is not in hot standby mode": true,
}

// match looks for an error that is known by identity, by type or by its text.
func (x *examination) match(err error, dialling bool) {
	defer quiet()
	is, _ := err.(interface{ Is(error) bool })
	if _, ok := err.(*ConnLostError); ok {
		is = nil // it speaks for what it wraps, which is visited anyway
	}
	x.matchMarks(err, is, dialling)
	for _, s := range sentinels {
		if err == s.err || is != nil && is.Is(s.err) {
			x.find(s.rule, s.rank, dialling)
		}
	}
	switch e := err.(type) {
	case *ConnLostError:
		x.find(connectionLost, rankDriver, false)
	case *net.OpError, *net.DNSError:
		x.find(connectionLost, rankNetwork, dialling)
	case net.Error:
		if e.Timeout() && !x.is(markDeadline|markDialDeadline) {
			x.find(connectionLost, rankNetwork, dialling)
		}
	}
	s := shape.Of(err)
	if s.Family == shape.Connect {
		x.marks |= markConnect
	}
	if s.Family == shape.Plain && roles[err.Error()] {
		x.marks |= markRole
		if dialling {
			x.find(wrongRole, rankDriver, dialling)
		}
	}
	if r, ok := spoken(err); ok {
		x.find(r, rankDriver, dialling)
	}
}

// matchMarks sets the marks that err stands for.
func (x *examination) matchMarks(err error, is interface{ Is(error) bool }, dialling bool) {
	for _, m := range marked {
		if err != m.err && (is == nil || !is.Is(m.err)) {
			continue
		}
		if m.mark == markDeadline && dialling {
			x.marks |= markDialDeadline
			continue
		}
		x.marks |= m.mark
	}
}

// spoken returns the rule of an error that only its type's name or its text
// tells.
func spoken(err error) (rule, bool) {
	switch shape.Of(err).Family {
	case shape.Lock:
		if err.Error() == "conn closed" {
			return connectionLost, true
		}
		return wrongState, true
	case shape.Scan:
		return unfit, true
	case shape.Plain:
		return worded(err.Error())
	}
	return rule{}, false
}

// worded returns the rule of an error made by errors.New or fmt.Errorf.
func worded(text string) (rule, bool) {
	if r, ok := texts[text]; ok {
		return r, true
	}
	switch { // database/sql, sql.go and convert.go
	case refusedArguments(text):
		return unsendable, true
	case !strings.HasPrefix(text, "sql: "):
		return rule{}, false
	case strings.HasPrefix(text, "sql: Scan error on column "), strings.Contains(text, " destination arguments in Scan"):
		return unfit, true
	case strings.HasPrefix(text, "sql: converting argument "):
		return unsendable, true
	}
	return wrongState, true
}

// unsendables are how the texts begin with which arguments are refused before the
// statement is sent: by pgx, in extended_query_builder.go, conn.go and
// internal/sanitize/sanitize.go; by database/sql and driver/sqldb, behind their
// names; by lib/pq, in stmt.go.
var unsendables = [...]string{
	"failed to encode args[",
	"expected ", // "expected 1 arguments, got 2"
	"mismatched param and argument count",
	"rewrite query failed: ",
	"insufficient arguments",
	"unused argument: ",
	"invalid arg type: ",
	"unable to encode ",
	"cannot convert ",
	"pq: got ", // "pq: got 2 parameters but the statement requires 1"
}

// refusedArguments reports whether text says that the arguments can't be sent.
func refusedArguments(text string) bool {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "sql: "), "sqldb: ")
	for _, start := range unsendables {
		if strings.HasPrefix(text, start) {
			switch start {
			case "expected ":
				return strings.Contains(text, " arguments, got ")
			case "pq: got ":
				return strings.Contains(text, " parameters but ")
			}
			return true
		}
	}
	return false
}

// isDial reports whether err says that a connection could not be made.
func isDial(err error) bool {
	defer quiet()
	switch e := err.(type) {
	case *net.OpError:
		return e.Op == "dial"
	case *net.DNSError:
		return true
	}
	return err == syscall.ECONNREFUSED || shape.Of(err).Family == shape.Connect
}
