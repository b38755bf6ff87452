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
//	sessionproxy.adaptive_limit.queue     calls waiting for a permit
//	sessionproxy.adaptive_limit.rejected  calls refused, by sessionproxy.adaptive_limit.reason
//
// The attribute sessionproxy.adaptive_limit.name is the name from [WithName].
package adaptivelimit
