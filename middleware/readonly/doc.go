// Package readonly refuses calls that are not certain to read only, by their
// text:
//
//	guard, err := readonly.New(readonly.WithIf(inMaintenance))
//	chain := sessionproxy.NewChain(tracer, guard, retrier, brk)
package readonly
