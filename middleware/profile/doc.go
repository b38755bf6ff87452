// Package profile shows in profiles and execution traces which statement the time
// belongs to:
//
//	labels, err := profile.New()
//	chain := sessionproxy.NewChain(tracer, retrier, brk, labels)
//
// Put it innermost: what waits in the links around it is then not the statement's.
//
// While a statement is performed its goroutine has the labels db.operation and
// db.summary. The CPU profile and the goroutine profile show them, with goroutines
// that the driver has started meanwhile:
//
//	go tool pprof -tagfocus 'db.summary=SELECT orders' http://localhost:6060/debug/pprof/profile
//	go tool pprof -tags http://localhost:6060/debug/pprof/profile
//
// An execution trace (package runtime/trace) has a region named after the summary for
// each performance. It shows for how long the goroutine ran, waited for the network and
// waited for a processor. See docs/profiles.md.
package profile
