// Package echo writes what an engine does to a log, as WithEcho of package engine
// says.
package echo

import (
	"context"
	"database/sql/driver"
	"log/slog"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// New returns an interceptor that writes a record of each operation to logger, at
// info level, when it has ended. arguments says whether arguments and literals are
// shown.
func New(logger *slog.Logger, arguments bool) sp.Interceptor {
	return sp.InterceptorFunc((&echo{logger: logger, args: arguments}).wrap)
}

type echo struct {
	logger *slog.Logger
	args   bool
}

func (e *echo) wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op == sp.OpTransaction || !e.logger.Enabled(ctx, slog.LevelInfo) {
			return next(ctx, call) // a unit's statements are shown one by one
		}
		start := time.Now()
		if call.Op == sp.OpBegin { // which is finished with its transaction
			err := next(ctx, call)
			e.write(ctx, call, time.Since(start), err)
			return err
		}
		call.OnFinish(func(err error) { e.write(ctx, call, time.Since(start), err) })
		return next(ctx, call)
	}
}

func (e *echo) write(ctx context.Context, call *sp.Call, took time.Duration, err error) {
	attrs := []slog.Attr{slog.String("operation", call.Op.String()), slog.Duration("duration", took)}
	if call.Text != "" {
		text := call.Text
		if !e.args {
			text = sqltext.Sanitize(dialectOf(call), text)
		}
		attrs = append(attrs, slog.String("text", text))
	}
	if n := call.Args.Len(); n > 0 {
		attrs = append(attrs, e.arguments(call, n))
	}
	if call.RowsAffected >= 0 {
		attrs = append(attrs, slog.Int64("rows_affected", call.RowsAffected))
	}
	if call.Op == sp.OpQuery {
		attrs = append(attrs, slog.Int64("rows_returned", call.RowsReturned))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", call.Verdict(err).Class.String()))
		if code := fault.Code(err); code != "" {
			attrs = append(attrs, slog.String("code", code))
		}
	}
	e.logger.LogAttrs(ctx, slog.LevelInfo, "engine", attrs...)
}

func (e *echo) arguments(call *sp.Call, n int) slog.Attr {
	if !e.args {
		return slog.Int("arguments", n)
	}
	values := make([]any, n)
	for i := range values {
		_, values[i] = call.Args.At(i)
		if v, err := driver.DefaultParameterConverter.ConvertValue(values[i]); err == nil {
			values[i] = v // of a pointer, what it points to
		}
	}
	return slog.Any("arguments", values)
}

func dialectOf(call *sp.Call) sqltext.Dialect {
	if call.Target == nil {
		return sqltext.Generic
	}
	return sqltext.DialectOf(string(call.Target.System))
}
