// Package throttle holds calls back at the client while the database refuses
// them for want of resources:
//
//	throttler, err := throttle.New()
//	chain := sessionproxy.NewChain(tracer, retrier, throttler, brk)
//
// [New] says what is counted and how many calls pass; docs/limits.md says when to
// take it, and when the breaker.
//
// # What is measured
//
// With [WithMeterProvider]:
//
//	sessionproxy.throttle.rejected  calls refused
//
// The attributes are those of the target.
package throttle
