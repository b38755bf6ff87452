package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// trust says when driver.ErrBadConn is believed.
type trust uint8

const (
	trustByDriver trust = iota
	trustAlways         // the driver is exact: nothing was sent
	trustDead           // only if the connection was dead before the call
)

// The drivers whose habits are known, by the import path of their types.
const (
	mysqlDriver = "github.com/go-sql-driver/mysql"
	pqDriver    = "github.com/lib/pq"
	pgxDriver   = "github.com/jackc/pgx/v5" // earlier ones hand out connections in a transaction
)

// habits is how a driver behaves where drivers differ.
type habits struct {
	trust    trust
	idlePing time.Duration // 0: never
	resets   bool          // a connection in a transaction is not fit to be used again, says the driver
	settings bool          // the server may begin transactions without being told to
}

// habitsOf returns a driver's habits, as known or as the options say.
func habitsOf(d driver.Driver, cfg config) habits {
	h := habits{trust: cfg.trust, idlePing: cfg.idlePing}
	pkg := packageOf(d)
	if h.trust == trustByDriver {
		h.trust = trustDead
		// go-sql-driver answers ErrBadConn only if no byte was written
		// (errBadConnNoWrite in its packets.go).
		if strings.HasPrefix(pkg, mysqlDriver) {
			h.trust = trustAlways
		}
	}
	if h.idlePing == 0 && strings.HasPrefix(pkg, pqDriver) {
		h.idlePing = time.Second
	}
	h.idlePing = max(h.idlePing, 0)
	h.resets = strings.HasPrefix(pkg, pgxDriver)
	h.settings = strings.HasPrefix(pkg, mysqlDriver)
	return h
}

// packageOf returns the import path of a value's type, or of what it points to.
func packageOf(v any) string {
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return ""
	}
	return t.PkgPath()
}

// noteBad takes note of driver.ErrBadConn: whatever becomes of the error, the
// connection goes to no pool any more. A driver without Validator has no other
// way to say so.
func (d *driverConn) noteBad(err error) bool {
	if err == nil || !errors.Is(err, driver.ErrBadConn) {
		return false
	}
	d.bad, d.unfit = true, true
	return true
}

// guard decides whether database/sql may see driver.ErrBadConn, which makes it
// send the statement again. unsent says that nothing was sent that could take
// effect, harmless that nothing of the operation's kind takes effect. It runs on
// the error path only.
func (d *driverConn) guard(ctx context.Context, err error, unsent, harmless bool) error {
	if !d.noteBad(err) {
		return err
	}
	d.unsent = unsent || d.habits.trust == trustAlways
	marks := sp.MarksFrom(ctx)
	believed := (d.unsent || harmless || marks.Idempotent || marks.ReadOnly) && !d.tx.inTx()
	// Under a retry above, database/sql's own loop runs once, which is enough
	// to get past stale connections; from the second attempt on the retry
	// alone decides, so that the two don't multiply.
	if above := sp.CallFrom(ctx); above != nil && above.Retried() {
		believed = believed && above.Attempt() == 1
	}
	if believed {
		return err
	}
	return lost(ctx, err)
}

// lost stands in for driver.ErrBadConn. Drivers that close the connection when
// their caller gives up (lib/pq) answer so; then the error is the context's too,
// as that of database/sql, which would have asked the context next.
func lost(ctx context.Context, err error) error {
	if over := ctx.Err(); over != nil && !errors.Is(err, over) {
		err = fmt.Errorf("%w: %w", over, err)
	}
	return &fault.ConnLostError{Err: err}
}

// guardCommit judges the error of a COMMIT, which is never believed to be
// unsent unless the connection was dead before.
func (d *driverConn) guardCommit(err error, dead bool) error {
	d.unsent = dead
	if d.noteBad(err) {
		return &fault.ConnLostError{Err: err}
	}
	return err
}

// saysUnsent reports whether the driver says that nothing was sent, as pgx does.
func saysUnsent(err error) bool {
	var says interface{ SafeToRetry() bool }
	return errors.As(err, &says) && says.SafeToRetry()
}
