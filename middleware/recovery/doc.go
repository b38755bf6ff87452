// Package recovery turns a panic below it in the chain into an error:
//
//	panics, err := recovery.New()
//	chain := sessionproxy.NewChain(tracer, logs, panics, retrier, brk)
package recovery
