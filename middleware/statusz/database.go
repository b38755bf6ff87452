package statusz

import (
	"maps"
	"sync"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// Bounds of what a page keeps.
const (
	maxDatabases = 64
	maxRead      = 32 << 10  // bytes of a text that are read to describe it
	maxShown     = 2000      // bytes of a text that are shown
	cachedTexts  = 1024      // per database
	cachedBytes  = 512 << 10 // of text, per database
)

// database is what is known of one database: of one target, by its key and
// less its user.
type database struct {
	page    *Page
	target  atomic.Pointer[sp.Target] // as it is known, without the user
	dialect sqltext.Dialect
	caches  [caches]*sqltext.Cache[*known]
	ops     [256]atomic.Pointer[known] // by operation
}

// The caches of a database.
const (
	byText     = iota // statements, by their text
	byPrepared        // preparations, likewise
	byName            // units of work, by the caller's name
	caches
)

// known is what was found out about a text or an operation.
type known struct {
	name   string
	text   string // without literals
	series atomic.Pointer[series]
	tried  atomic.Int64 // the window in which a series was looked for
}

// databases are the databases of a page, and the series of all of them.
type databases struct {
	page  *Page
	known atomic.Pointer[map[sp.Target]*database] // replaced as a whole

	mu     sync.Mutex // held while something new is noted
	series map[seriesKey]*series
	rest   map[*database]*series // of the calls for which there was no room
}

// others is the target that stands for those past the bound.
var others = sp.Target{System: sp.OtherSQL, Namespace: "(others)"}

// of returns the database of a target. Targets past the bound share one.
func (ds *databases) of(t *sp.Target) *database {
	var key sp.Target
	if t != nil {
		key = t.Key().Anonymous()
	}
	if d := ds.find(key); d != nil {
		d.rename(t, key)
		return d
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if d := ds.find(key); d != nil {
		return d
	}
	old := *ds.known.Load()
	if len(old) == maxDatabases {
		key = others
	}
	next := maps.Clone(old)
	next[key] = ds.make(key)
	next[key].rename(t, key)
	ds.known.Store(&next)
	return next[key]
}

// find returns the database of a target, if it needs no other to be made.
func (ds *databases) find(key sp.Target) *database {
	known := *ds.known.Load()
	if d := known[key]; d != nil || len(known) <= maxDatabases {
		return d
	}
	return known[others]
}

func (ds *databases) make(target sp.Target) *database {
	d := &database{page: ds.page, dialect: sqltext.DialectOf(string(target.System))}
	d.target.Store(&target)
	for i := range d.caches {
		d.caches[i] = sqltext.NewCache[*known](cachedTexts, cachedBytes)
	}
	return d
}

// rename says which target it is that has the database's key: a connection may
// have told what the server is.
func (d *database) rename(t *sp.Target, key sp.Target) {
	if t == nil || key == others {
		return
	}
	if now := t.Anonymous(); *d.target.Load() != now && now.Key() == d.target.Load().Key() {
		d.target.Store(&now)
	}
}

// statement returns what is known of the call's text; of a unit of work, of its
// name; else of its operation. Texts of transaction control say nothing but
// names of savepoints.
func (d *database) statement(f *flight) *known {
	switch {
	case f.op == sp.OpTransaction && f.operation != "":
		return d.look(byName, f, f.operation)
	case f.text == "" || f.op.Transactional():
		return d.operation(f)
	case f.op == sp.OpPrepare:
		return d.look(byPrepared, f, telemetry.Cut(f.text, maxRead))
	default:
		return d.look(byText, f, telemetry.Cut(f.text, maxRead))
	}
}

// operation returns what is known of calls of an operation without a text.
func (d *database) operation(f *flight) *known {
	if k := d.ops[f.op].Load(); k != nil {
		return k
	}
	k := &known{name: f.op.String()}
	d.find(k, f.op)
	d.ops[f.op].Store(k)
	return k
}

// look looks a text up, and finds out about it if it is new.
func (d *database) look(in int, f *flight, text string) *known {
	if k, ok := d.caches[in].Get(d.dialect, text); ok {
		return k
	}
	k := d.describe(in, f.op, text)
	d.find(k, f.op)
	d.caches[in].Put(d.dialect, text, k)
	return k
}

// describe finds out about a text.
func (d *database) describe(in int, op sp.Op, text string) *known {
	if in == byName {
		return &known{name: unitName(text)}
	}
	a := sqltext.Analyse(d.dialect, text)
	k := &known{name: a.Summary, text: telemetry.Cut(a.Sanitized, maxShown)}
	switch {
	case k.name == "":
		k.name = op.String()
	case in == byPrepared:
		k.name = op.String() + " " + k.name
	}
	return k
}

// unitName returns the summary of a unit of work with the caller's name for it.
func unitName(operation string) string { return sp.OpTransaction.String() + " " + operation }
