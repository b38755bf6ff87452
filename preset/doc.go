// Package preset makes the recommended chain in one call, with every
// interceptor in its place.
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
// retries what is safe to retry, has a throttle and a circuit breaker, and shows
// its work on a live page. Options add the rest, and take the options of the package they
// belong to:
//
//	page, tracing, logging, slow queries, recovery, [your own], timeout, limit,
//	retry, hedge, throttle, breaker, timeout of an attempt, page
//
// The page is at both ends, so that it sees a call as its caller does and knows
// when it goes to the driver. The packages of the interceptors document what
// the chain does; for another order, make the chain yourself with
// [sessionproxy.NewChain].
package preset
