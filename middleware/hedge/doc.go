// Package hedge starts a second attempt, on another connection, at a query that
// takes longer than usual for its statement:
//
//	hedger, err := hedge.New(hedge.WithPool(func() bool { return db.Stats().Idle > 0 }))
//	rows, err := db.QueryContext(sessionproxy.WithReadOnly(ctx), "SELECT …")
//
// Only queries that the caller marked as read-only are hedged; see [New].
//
// # What is measured
//
// With [WithMeterProvider]:
//
//	sessionproxy.hedge.attempts  second attempts, by sessionproxy.hedge.outcome
//	sessionproxy.hedge.skipped   those not made, by sessionproxy.hedge.reason
//
// The attribute sessionproxy.hedge.name is the name from [WithName].
package hedge
