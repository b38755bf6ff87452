// Package adaptivelimit bounds how many calls run at once, and finds the bound
// by observing the database:
//
//	limiter, err := adaptivelimit.New(adaptivelimit.WithMax(poolSize))
//	chain := sessionproxy.NewChain(tracer, limiter, retrier, brk)
//
// docs/limits.md says how it decides, and when to use it instead of package
// limit, whose permits, queue and order it shares.
//
// # What is measured
//
// With [WithMeterProvider]:
//
//	sessionproxy.adaptive_limit.limit     calls that may run at once
//	sessionproxy.adaptive_limit.in_use    calls that hold a permit
//	sessionproxy.adaptive_limit.latency   mean time that calls took in the latest seconds
//	sessionproxy.adaptive_limit.queue     calls waiting for a permit
//	sessionproxy.adaptive_limit.rejected  calls refused, by sessionproxy.adaptive_limit.reason
//
// The first three have the attributes of the target, all of them
// sessionproxy.adaptive_limit.name, the name from [WithName].
package adaptivelimit
