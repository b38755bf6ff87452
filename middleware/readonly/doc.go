// Package readonly refuses calls that are not certain to only read, by their
// SQL text:
//
//	guard, err := readonly.New(readonly.WithIf(inMaintenance))
//	chain := sessionproxy.NewChain(tracer, guard, retrier, brk)
package readonly
