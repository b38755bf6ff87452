package main

import (
	"errors"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// pipeline is what stands in front of every operation of the database, and the
// page that shows it at work.
func pipeline(tel *telemetry, pool func() sessionproxy.PoolStats) (sessionproxy.Chain, *statusz.Page, error) {
	traces, err1 := tracing.New(tracing.WithTracerProvider(tel.traces), tracing.WithMeterProvider(tel.metrics))
	overall, err2 := timeout.New(5 * time.Second)
	budget, err3 := retry.NewBudget()
	again, err4 := retry.New(retry.WithAttempts(10), retry.WithBudget(budget), retry.WithMeterProvider(tel.metrics))
	brk, err5 := breaker.New(breaker.WithMeterProvider(tel.metrics))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return sessionproxy.Chain{}, nil, err
	}
	page, err := statusz.New(
		statusz.WithTitle("bank"),
		statusz.WithPool("bank", pool),
		statusz.WithBudget(budget.Remaining, 500),
		statusz.WithBreakers(brk.States, circuit),
	)
	if err != nil {
		return sessionproxy.Chain{}, nil, err
	}
	return sessionproxy.NewChain(page, traces, overall, again, brk, page.Innermost()), page, nil
}

// circuit says what the page shows of a breaker.
func circuit(s breaker.Status) statusz.Circuit {
	return statusz.Circuit{
		Target: s.Target, State: s.State.String(), Since: s.Since, RetryAfter: s.RetryAfter,
		Cause: s.Cause, Requests: s.Counts.Requests(), Failures: s.Counts.Failures,
	}
}
