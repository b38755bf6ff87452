// Package preset makes the recommended chain in one call: every interceptor that
// a service wants, in the order in which they belong.
//
//	db, err := preset.New(preset.WithLimit(20), preset.WithAttemptTimeout(2*time.Second))
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	pool, err := pgxdb.NewPool(ctx, url, db.Chain())
//	mux.Handle("/debug/db", db.Page())
//
// Without an option the chain traces to the global OpenTelemetry provider,
// retries what is safe to retry, has a circuit breaker, and shows its work on a
// page. Options add the rest, and take the options of the package that they
// belong to:
//
//	page, tracing, logging, slow queries, recovery, [your own], timeout, limit,
//	retry, hedge, throttle, breaker, timeout of an attempt, page
//
// The page stands at both ends, so that it sees a call as its caller does and
// knows when it goes to the driver. What the chain can do is documented in the
// packages of the interceptors; to have them in another order, make the chain
// yourself with [sessionproxy.NewChain].
package preset
