// Package slowquery writes a log/slog record of each statement that takes long,
// with PostgreSQL's plan if asked to:
//
//	slow, err := slowquery.New(slog.Default(), 500*time.Millisecond)
//
// Records have the attributes of middleware/logging, and sessionproxy.plan.
package slowquery
