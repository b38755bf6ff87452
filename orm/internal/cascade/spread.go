package cascade

import (
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Expunge takes an object out of the session, with those that go with it.
func Expunge(m *identity.Map, st *identity.State) {
	m.Remove(st)
	eachMember(m, st, mapping.CascadeExpunge, func(other *identity.State) { Expunge(m, other) })
}

// Expire expires an object and those that go with it, each once. Those of them
// that are pending leave the session.
func Expire(m *identity.Map, st *identity.State) { expireUnseen(m, st, map[*identity.State]bool{}) }

func expireUnseen(m *identity.Map, st *identity.State, seen map[*identity.State]bool) {
	switch {
	case seen[st]:
		return
	case st.Status == identity.Pending: // there is no row to read it from
		m.Remove(st)
		return
	case st.Status != identity.Persistent:
		return
	}
	seen[st] = true
	st.Expire()
	eachMember(m, st, mapping.CascadeRefresh, func(other *identity.State) { expireUnseen(m, other, seen) })
}

// eachMember calls fn for what the relations of an object hold in the session,
// as far as they cascade.
func eachMember(m *identity.Map, st *identity.State, c mapping.Cascade, fn func(st *identity.State)) {
	for _, r := range st.Table.Relations() {
		if r.Cascade&c == 0 {
			continue
		}
		for _, p := range st.Members(r) {
			if other := m.At(p); other != nil {
				fn(other)
			}
		}
	}
}
