package sqldb

import (
	"context"
	"sync/atomic"
)

// serverFacts are what has to be known of a server of MySQL or MariaDB, asked
// once per database.
type serverFacts struct {
	settings  atomic.Int32 // do sessions begin transactions only when told to?
	onTimeout atomic.Int32 // does a lock wait timeout leave the transaction alone?
}

// The answers to a question of serverFacts.
const (
	notAsked int32 = iota
	yes
	no
)

// learnSettings asks, on the first connection, how sessions begin: with
// autocommit, and without completion_type, unless the server, its init_connect or
// the data source name say otherwise. A connection of which that is not known is
// unsure.
func (d *driverConn) learnSettings(ctx context.Context) {
	if !d.habits.settings || d.pipeline.empty {
		return
	}
	facts := &d.pipeline.facts
	answer := facts.settings.Load()
	if answer == notAsked {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		if row, err := d.row(ctx, "SELECT @@autocommit, @@completion_type", 2); err == nil {
			answer = answerOf(plainSettings(row[0], row[1]))
			facts.settings.Store(answer)
		}
	}
	if answer != yes {
		d.tx.state, d.tx.settings, d.tx.ask = txUnsure, true, answer == notAsked
	}
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
