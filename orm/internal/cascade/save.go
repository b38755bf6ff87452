// Package cascade decides which objects go along when one is added, deleted, expired or
// let go.
package cascade

import (
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Save adds what the relations of an object hold, and what the relations of
// these hold, as far as they cascade.
func (o *Orphans) Save(m *identity.Map, j *identity.Journal, st *identity.State) {
	for _, r := range st.Table.Relations() {
		if r.Cascade&mapping.CascadeSave == 0 {
			continue
		}
		now := st.Members(r)
		if st.Status != identity.Pending {
			now = identity.Difference(now, st.Committed(r))
		}
		for _, p := range now {
			if m.At(p) == nil {
				o.Save(m, j, m.AddPending(j, r.Other, p))
			}
		}
		if r.Cascade&mapping.CascadeOrphan != 0 {
			o.track(m, now)
		}
	}
}
