package sqldb

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
)

// serverFacts are what has to be known of a server of MySQL or MariaDB and can't
// change while it runs, asked once per database.
type serverFacts struct {
	onTimeout atomic.Int32 // does a lock wait timeout leave the transaction alone?
}

// The answers to a question of serverFacts.
const (
	notAsked int32 = iota
	yes
	no
)

// learnSettings asks how the session begins: with autocommit, and without
// completion_type, unless the server, its init_connect or the data source name say
// otherwise. Each connection is asked: the server's settings can be changed at any
// time, and a proxy leads to several servers. A connection of which that is not
// known is unsure. One that is lost meanwhile, as by a caller who gives up, is not
// handed out: the error is what database/sql would have come to.
func (d *driverConn) learnSettings(ctx context.Context) error {
	if !d.habits.settings {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	row, err := d.row(limited, "SELECT @@autocommit, @@completion_type", 2)
	switch {
	case err != nil && d.dead() && ctx.Err() != nil:
		return ctx.Err()
	case err != nil && d.dead():
		return driver.ErrBadConn
	case err != nil:
		d.tx.doubt()
	case !plainSettings(row[0], row[1]):
		d.tx.state, d.tx.settings, d.tx.byItself = txUnsure, true, true
	}
	return nil
}

// checkSettings asks what a text may have changed, before a unit of work begins:
// the state that MariaDB tells with it is settled before, MySQL's never is.
func (d *driverConn) checkSettings(ctx context.Context) {
	if !d.habits.settings || d.pipeline.empty || d.tx.byItself {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if row, err := d.row(ctx, "SELECT @@autocommit, @@completion_type", 2); err == nil && plainSettings(row[0], row[1]) {
		d.tx.settings = false
	}
}

// binds reports whether a unit whose BEGIN ended with err, on a connection that
// may have been in a transaction, is bound to it. If BEGIN failed, what was open
// may be lost; and a session that was set to begin transactions by itself is not
// like the one that another attempt would find, unless it began so.
func (d *driverConn) binds(err error) bool {
	return err != nil || d.tx.settings && !d.tx.byItself
}

// keptOnTimeout asks the server, once, whether a lock wait timeout undoes the
// statement alone: innodb_rollback_on_timeout has it undo the transaction, and
// can't be changed while the server runs.
func (d *driverConn) keptOnTimeout(ctx context.Context) bool {
	facts := &d.pipeline.facts
	if facts.onTimeout.Load() == notAsked {
		if row, err := d.row(ctx, "SELECT @@innodb_rollback_on_timeout", 1); err == nil {
			facts.onTimeout.Store(answerOf(row[0] == "0"))
		}
	}
	return facts.onTimeout.Load() == yes
}

func answerOf(ok bool) int32 {
	if ok {
		return yes
	}
	return no
}
