package dependency

import (
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// baseline is what the relations of an object held when a flush was planned.
type baseline struct {
	st    *identity.State
	held  [][]memory.Pointer
	whole bool // there are no others
}

func baselineOf(st *identity.State) baseline {
	out := baseline{st: st, whole: st.Status == identity.Pending, held: make([][]memory.Pointer, len(st.Table.Relations()))}
	for i, r := range st.Table.Relations() {
		out.held[i] = st.Members(r)
	}
	return out
}

// Commit makes what relations held what changes of them are compared with.
func (s *Set) Commit(j *identity.Journal) {
	for _, b := range s.baselines {
		for i, r := range b.st.Table.Relations() {
			if r.Kind == mapping.BelongsTo && identity.First(b.held[i]) != identity.First(b.st.Committed(r)) {
				j.Repoint(b.st, r)
			}
		}
		b.st.CommitHeld(b.held, b.whole)
		if !j.Began(b.st) {
			j.Touch(b.st, nil)
		}
	}
}
