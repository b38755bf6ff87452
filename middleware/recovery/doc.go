// Package recovery turns a panic further in into an error:
//
//	panics, err := recovery.New()
//	chain := sessionproxy.NewChain(tracer, logs, panics, retrier, brk)
package recovery
