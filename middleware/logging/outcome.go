package logging

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// The messages of records. They are few and never change, to search by.
const (
	messageDone     = "database call"
	messageRetried  = "database call retried"
	messageSlow     = "database call slow"
	messageCanceled = "database call canceled"
	messageFailed   = "database call failed"
	messageGivenUp  = "database call given up"
	messageEvent    = "database call event"
)

// failure is what is logged of an error. The zero value is success.
type failure struct {
	err      error
	class    fault.Class
	code     string // the database's own; may be empty
	kind     string // error.type
	canceled bool   // by the caller
}

// judge reads what is to be logged of the error with which a call ended.
func (l *logging) judge(ctx context.Context, call *sp.Call, err error) failure {
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, driver.ErrSkip) {
		return failure{}
	}
	f := failure{err: err, code: fault.Code(err), class: fault.ClassUnknown}
	// ErrAborted was returned by nobody: the call's verdict is of another error.
	if !errors.Is(err, sp.ErrAborted) {
		v := call.Verdict(err)
		if v.Moot {
			return failure{}
		}
		f.class = v.Class
	}
	f.kind = telemetry.ErrorType(err, f.code, f.class)
	f.canceled = f.class == fault.ClassCanceled && errors.Is(ctx.Err(), context.Canceled)
	return f
}

// rate returns the level and the message of a call's record.
func (l *logging) rate(call *sp.Call, f failure, took time.Duration) (slog.Level, string) {
	level, message := l.levels.success, messageDone
	switch {
	case f.class == fault.ClassCaller:
		message = messageGivenUp // what it means is for the caller to say
	case f.canceled:
		level, message = l.levels.warning, messageCanceled
	case f.err != nil && call.Parent != nil:
		level, message = l.levels.warning, messageFailed
	case f.err != nil:
		level, message = l.levels.failure, messageFailed
	case call.Attempt() > 1:
		level, message = l.levels.warning, messageRetried
	case l.slow > 0 && took >= l.slow:
		level, message = l.levels.warning, messageSlow
	}
	if call.Op.Local() || call.Step() {
		level = l.levels.success
	}
	return level, message
}
