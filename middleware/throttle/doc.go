// Package throttle refuses calls at the client while the database refuses them
// for lack of resources:
//
//	throttler, err := throttle.New()
//	chain := sessionproxy.NewChain(tracer, retrier, throttler, brk)
//
// [New] describes what is counted and how many calls pass; docs/limits.md says
// when to use it, and when to use the breaker.
//
// # What is measured
//
// With [WithMeterProvider]:
//
//	sessionproxy.throttle.rejected  calls refused
//
// The attributes are those of the target.
package throttle
