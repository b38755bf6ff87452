// Package ratelimit bounds how many calls start per second:
//
//	limiter, err := ratelimit.New(200, 50) // 200 per second, 50 at once
//
// A call takes no lock. What it writes that calls on other cores write too is one
// word, the time at which the bucket will be full; a call that waits also writes the
// number of those that wait.
//
// # What is measured
//
// With [WithMeterProvider]:
//
//	sessionproxy.rate_limit.queue     calls waiting for their turn
//	sessionproxy.rate_limit.rejected  calls refused, by sessionproxy.rate_limit.reason
//
// The attribute sessionproxy.rate_limit.name is the name from [WithName].
package ratelimit
