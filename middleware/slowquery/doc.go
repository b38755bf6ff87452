// Package slowquery writes a log/slog record of each slow statement, with
// PostgreSQL's plan if you ask for it:
//
//	slow, err := slowquery.New(slog.Default(), 500*time.Millisecond)
//
// Records have the attributes of middleware/logging, and sessionproxy.plan.
package slowquery
