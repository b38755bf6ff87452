// Package timeout limits how long a call, or each of its attempts, may take to
// return its result:
//
//	overall, err := timeout.New(5*time.Second, timeout.WithFor(0, sessionproxy.OpCopy))
//	perAttempt, err := timeout.New(time.Second)
//	chain := sessionproxy.NewChain(tracer, overall, retrier, brk, perAttempt)
package timeout
