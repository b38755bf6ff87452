package retry

import (
	"context"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// Group is a group of faults with a common back-off; see [WithBackoff].
type Group uint8

const (
	// Contention is another transaction in the way: a serialization failure, a
	// deadlock, a lock, a busy file. Faults in no other group belong to it too.
	Contention Group = iota
	// Connection is a connection that could not be made or was lost, and an
	// attempt that took too long.
	Connection
	// Overload is a server or a pool without the resources for the call.
	Overload
	// Failover is a server that does not write, or no host of the kind that is
	// wanted: one has to be promoted first.
	Failover

	groups = iota
)

// String returns "contention", "connection", "overload" or "failover".
func (g Group) String() string {
	switch g {
	case Contention:
		return "contention"
	case Connection:
		return "connection"
	case Overload:
		return "overload"
	case Failover:
		return "failover"
	default:
		return "invalid"
	}
}

// groupOf returns the group by which the wait after v is chosen.
func groupOf(v fault.Verdict) Group {
	switch {
	case v.Slow || v.Class == fault.ClassOverloaded:
		return Overload
	case v.Contention:
		return Contention
	case v.Class == fault.ClassReadOnly, v.Class == fault.ClassConnect && v.Breaker == fault.BreakerExclude:
		return Failover
	case v.Retry == fault.RetryReconnect || v.DiscardConn || v.Class == fault.ClassAttemptTimeout:
		return Connection
	default:
		return Contention
	}
}

// curve is a back-off: the wait before the n-th retry is drawn from zero
// to base doubled n-1 times, at most limit.
type curve struct{ base, limit time.Duration }

// ceiling returns the longest wait before retry n, counted from 1.
func (c curve) ceiling(n int) time.Duration {
	d := c.base
	for ; n > 1 && d < c.limit; n-- {
		if d > c.limit/2 {
			return c.limit
		}
		d *= 2
	}
	return min(d, c.limit)
}

// delay draws the wait before retry n after a fault of a group. A promotion takes
// its time, so that half of the wait before another look is certain.
func (r *Retry) delay(g Group, n int) time.Duration {
	ceiling := r.curves[g].ceiling(n)
	if ceiling <= 0 {
		return 0
	}
	least := time.Duration(0)
	if g == Failover {
		least = ceiling / 2
	}
	return least + min(max(r.jitter(ceiling-least), 0), ceiling-least)
}

// sleep waits for d and reports whether the context was alive at the end.
func sleep(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}
