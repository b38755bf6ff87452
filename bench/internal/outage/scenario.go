package outage

import (
	"context"
	"fmt"
	"slices"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// A Scenario is what happens to a database and its callers.
type Scenario struct {
	// Name is what the command calls it.
	Name string
	// Title says what happens.
	Title string
	// Watched says what the watched calls are; empty if there are none.
	Watched string
	// Load is what each subject is asked for all the time.
	Load Load
	// InTurn has subjects go through it one after another, since they would be in
	// each other's way; the others meet the same fault at the same moment.
	InTurn bool
	// Standby says that there has to be one; each round then has new servers.
	Standby bool
	// Steady has the table tell how long good calls took during the fault.
	Steady bool
	// Hold is how long the fault lasts, as far as that can be chosen.
	Hold time.Duration
	// Inflict lets it happen. It tells the stage when the fault begins and when
	// the database is back.
	Inflict func(ctx context.Context, s *stage) error
}

var (
	read  = Statement{SQL: "SELECT n FROM items WHERE id = $1"}
	write = Statement{SQL: "UPDATE items SET n = n + 1 WHERE id = $1", Write: true}
	// heavy keeps a core busy for some milliseconds.
	heavy = Statement{SQL: "SELECT count(*) FROM generate_series(1, 20000) AS g WHERE g > $1"}
	// lockedRead reads the table that gets locked.
	lockedRead = Statement{SQL: "SELECT n FROM locked WHERE id = $1"}
)

// usual is four reads to a write.
var usual = Load{Rate: 100, Mix: []Part{{Statement: read, Weight: 4}, {Statement: write, Weight: 1}}}

// Scenarios returns all scenarios. The outage is as long as the argument says.
func Scenarios(outage time.Duration) []Scenario {
	return []Scenario{
		{Name: "restart", Title: "the server is restarted", Load: usual, Inflict: restart},
		{Name: "crash", Title: "the server is killed and started", Load: usual, Inflict: crash},
		{
			Name: "failover", Title: "the primary is killed, its standby promoted after 1 s",
			Load: usual, Standby: true, Hold: time.Second, Inflict: failover,
		},
		{Name: "outage", Title: "the server is away for long", Load: usual, Hold: outage, Inflict: absence},
		{Name: "hang", Title: "the server is stopped with SIGSTOP", Load: usual, Hold: 5 * time.Second, Inflict: hang},
		{
			Name: "brownout", Title: "other processes take the CPU", Load: Load{60, []Part{{Statement: heavy, Weight: 1}}},
			InTurn: true, Hold: 4 * time.Second, Inflict: brownout,
		},
		{
			Name: "slowtable", Title: "a lock is held on one table of two", Watched: "calls to the other table",
			Load: Load{100, []Part{{Statement: read, Weight: 4, Watched: true}, {Statement: lockedRead, Weight: 1}}},
			Hold: 4 * time.Second, Inflict: slowTable,
		},
		{
			Name: "overload", Title: "five times too many callers", Load: Load{20, []Part{{Statement: heavy, Weight: 1}}},
			InTurn: true, Hold: 4 * time.Second, Inflict: surge(5, nil),
		},
		{
			Name: "tenant", Title: "one tenant floods, three times what the server can do", Watched: "calls of nine quiet tenants",
			Load:   Load{90, quietTenants()},
			InTurn: true, Hold: 4 * time.Second, Inflict: surge(3, share("flood")),
		},
		{
			Name: "priority", Title: "five times too many calls of low priority", Watched: "calls of high priority",
			Load:   Load{20, []Part{{Statement: heavy, Weight: 1, Watched: true, Mark: priority(sp.PriorityHigh)}}},
			InTurn: true, Hold: 4 * time.Second, Inflict: surge(5, priority(sp.PriorityLow)),
		},
	}
}

func share(key string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return sp.WithShare(ctx, key) }
}

func priority(p sp.Priority) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return sp.WithPriority(ctx, p) }
}

// quietTenants are nine, each with a share of its own.
func quietTenants() (mix []Part) {
	for i := range 9 {
		mix = append(mix, Part{Statement: heavy, Weight: 1, Watched: true, Mark: share(fmt.Sprint("tenant ", i+1))})
	}
	return mix
}

// Names lists the names of scenarios.
func Names(of []Scenario) []string {
	var names []string
	for _, s := range of {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}
