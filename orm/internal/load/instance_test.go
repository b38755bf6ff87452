package load

import (
	"context"
	"reflect"
	"testing"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

type page struct {
	ID      int64
	Title   string
	Text    string
	Version int `orm:",version"`
}

// told counts the objects that were told that they were read.
type told struct{ n int }

func (*told) Connect(context.Context) (*engine.Conn, error) { panic("no database is needed") }

func (t *told) Loaded(context.Context, *identity.State) error { t.n++; return nil }

// TestWhatARowDoesToAnObject is what reading does to an object that is known, or
// not, expired or changed.
func TestWhatARowDoesToAnObject(t *testing.T) {
	t.Parallel()
	table, err := mapping.Of(reflect.TypeFor[page]())
	if err != nil {
		t.Fatal(err)
	}
	row := page{ID: 1, Title: "theirs", Text: "theirs", Version: 2}
	for name, c := range map[string]struct {
		known    *page
		expired  bool
		change   bool // the title, after it expired
		cols     []*mapping.Column
		populate bool
		want     page
		stale    bool // it is to be read again
		told     int
	}{
		"a new one":            {nil, false, false, table.Columns, false, row, false, 1},
		"a new one in part":    {nil, false, false, table.Columns[:2], false, row, true, 1},
		"known":                {&page{ID: 1, Title: "mine", Version: 1}, false, false, table.Columns, false, page{ID: 1, Title: "mine", Version: 1}, false, 0},
		"expired":              {&page{ID: 1, Title: "mine", Version: 1}, true, false, table.Columns, false, row, false, 1},
		"expired and changed":  {&page{ID: 1, Title: "mine", Version: 1}, true, true, table.Columns, false, page{ID: 1, Title: "changed", Text: "theirs", Version: 2}, false, 1},
		"expired, in part":     {&page{ID: 1, Title: "mine", Version: 1}, true, false, table.Columns[:2], false, page{ID: 1, Title: "theirs", Version: 1}, true, 1},
		"overwritten":          {&page{ID: 1, Title: "mine", Version: 1}, false, true, table.Columns, true, row, false, 1},
		"overwritten, in part": {&page{ID: 1, Title: "mine", Version: 1}, false, true, table.Columns[:2], true, page{ID: 1, Title: "theirs", Version: 1}, false, 1},
	} {
		m, session := identity.NewMap(nil), &told{}
		if c.known != nil {
			p := unsafe.Pointer(c.known)
			st := m.AddPersistent(table, p, table.Snapshot(p), identity.IntKey(1))
			if c.expired {
				st.Expire()
			}
			if c.change {
				c.known.Title = "changed"
			}
		}
		read := row
		l := &Loader{Map: m, Session: session, Tells: true}
		st, err := l.instance(context.Background(), table, unsafe.Pointer(&read), c.cols, c.populate, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := (*page)(st.Object)
		if *got != c.want || st.Expired != c.stale || session.n != c.told || c.known != nil && got != c.known {
			t.Errorf("%s: %+v, want %+v; to be read again: %t; told: %d", name, *got, c.want, st.Expired, session.n)
		}
	}
}
