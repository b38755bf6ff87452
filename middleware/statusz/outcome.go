package statusz

import (
	"database/sql"
	"database/sql/driver"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// outcome is what came of a call, in one word.
type outcome uint8

const (
	succeeded outcome = iota
	failed
	canceled // its caller gave up, or it was cancelled from outside
)

// failure is what is shown of an error: never its text, in which databases
// quote values of rows. The zero value is none.
type failure struct {
	kind  string // error.type: the database's code, else the class, else a Go type
	class fault.Class
}

// result is what came of a call.
type result struct {
	outcome outcome
	failure
}

// judge reads what is shown of the error with which a call ended.
func judge(call *sp.Call, err error) result {
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, driver.ErrSkip) {
		return result{}
	}
	class := fault.ClassUnknown
	// ErrAborted was returned by nobody: the call's verdict is of another error.
	if !errors.Is(err, sp.ErrAborted) {
		v := call.Verdict(err)
		if v.Moot {
			return result{}
		}
		class = v.Class
	}
	r := result{failed, failure{telemetry.ErrorType(err, fault.Code(err), class), class}}
	if class == fault.ClassCanceled || class == fault.ClassCaller {
		r.outcome = canceled
	}
	return r
}
