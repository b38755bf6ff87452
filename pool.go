package sessionproxy

// UnknownCount is the value of a count that a pool does not report.
const UnknownCount int64 = -1

// PoolStats is the state of a pool of connections at one moment, in the terms
// of OpenTelemetry's metrics of connection pools. A count that the pool does
// not report, or a bound that it does not have, is [UnknownCount].
type PoolStats struct {
	// Idle is the number of open connections that nobody uses.
	Idle int64
	// Used is the number of connections in use.
	Used int64
	// Max is the greatest number of open connections allowed.
	Max int64
	// IdleMax is the greatest number of idle connections that are kept.
	IdleMax int64
	// IdleMin is the number of idle connections that are kept ready.
	IdleMin int64
	// Pending is the number of callers that wait for a connection.
	Pending int64
	// Timeouts is how many callers have given up waiting, since the pool was opened.
	Timeouts int64
}
