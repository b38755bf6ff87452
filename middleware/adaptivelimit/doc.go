// Package adaptivelimit bounds how many calls are at work at once, and finds the
// bound by what the database does:
//
//	limiter, err := adaptivelimit.New(adaptivelimit.WithMax(poolSize))
//	chain := sessionproxy.NewChain(tracer, limiter, retrier, brk)
//
// docs/limits.md says how it decides, and when to take it instead of package
// limit, whose permits, line and order it has.
//
// # What is measured
//
// With [WithMeterProvider]:
//
//	sessionproxy.adaptive_limit.queue     calls that wait for a permit
//	sessionproxy.adaptive_limit.rejected  calls refused, by sessionproxy.adaptive_limit.reason
//
// The attribute sessionproxy.adaptive_limit.name is the name from [WithName].
package adaptivelimit
