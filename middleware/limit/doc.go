// Package limit bounds how many calls run at once, with a bounded queue for the
// others:
//
//	limiter, err := limit.New(20, limit.WithQueue(100))
//	chain := sessionproxy.NewChain(tracer, limiter, retrier, brk)
//
// [New] describes what takes a permit and how long it is held; docs/limits.md
// says how to choose the numbers.
//
// # What is measured
//
// With [WithMeterProvider]:
//
//	sessionproxy.limit.queue     calls waiting for a permit
//	sessionproxy.limit.rejected  calls refused, by sessionproxy.limit.reason
//
// The attribute sessionproxy.limit.name is the name from [WithName].
package limit
