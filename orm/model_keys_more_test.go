package orm_test

import (
	"context"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/orm"
)

// Further steps of the model of keys.

// BeforeUpdate queries in the midst of a flush.
func (r *Realm) BeforeUpdate(ctx context.Context, s *orm.Session) error {
	_, err := orm.From[Realm]().Where("name = ?", r.Name).Count(ctx, s)
	return err
}

// exchangeKeys passes the keys of realms on in a circle.
func (w *keyWorld) exchangeKeys(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	w.read(t)
	all := slices.Sorted(maps.Keys(w.now.realm))
	if len(all) < 2 {
		t.Skip("there are not two")
	}
	all = rapid.Permutation(all).Draw(t, "order")[:rapid.IntRange(2, len(all)).Draw(t, "of")]
	next, before := map[string]string{}, w.now.clone()
	objs := maps.Clone(w.realm)
	for i, code := range all {
		next[code] = all[(i+1)%len(all)]
		delete(w.now.charter, code)
	}
	for code, to := range next {
		objs[code].Code = to
		w.realm[to], w.now.realm[to] = objs[code], before.realm[code]
		if word, has := before.charter[code]; has {
			w.now.charter[to] = word
		}
	}
	for id, in := range before.hamlet {
		if to, goes := next[in]; goes {
			w.now.hamlet[id] = to
		}
	}
	expect(t, w.s.Flush(w.ctx))
}

// deleteInVain deletes a realm and adds it again, before a flush.
func (w *keyWorld) deleteInVain(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	r := w.realm[pickCode(t, w.now.realm)]
	expect(t, w.s.Delete(w.ctx, r))
	expect(t, w.s.Add(r))
	expect(t, w.s.Flush(w.ctx))
}

// clearOut moves the hamlets of a realm, or some of them, to another one, and
// deletes the realm in the same flush.
func (w *keyWorld) clearOut(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	w.read(t)
	from, to := pickCode(t, w.now.realm), pickCode(t, w.now.realm)
	if from == to {
		t.Skip("it is the same")
	}
	deleted := rapid.Bool().Draw(t, "deleted before")
	if deleted {
		expect(t, w.s.Delete(w.ctx, w.realm[from]))
	}
	for _, h := range slices.Clone(w.realm[from].Hamlets) {
		w.now.hamlet[h.ID] = ""
		if !rapid.Bool().Draw(t, "moves") {
			continue
		}
		w.now.hamlet[h.ID] = to
		switch rapid.IntRange(0, 2).Draw(t, "by") {
		case 0:
			h.Realm = w.realm[to]
		case 1:
			code := to
			h.RealmCode = &code
		case 2:
			w.realm[to].Hamlets = append(w.realm[to].Hamlets, h)
		}
	}
	if !deleted {
		expect(t, w.s.Delete(w.ctx, w.realm[from]))
	}
	delete(w.now.realm, from)
	delete(w.now.charter, from)
	delete(w.realm, from)
	expect(t, w.s.Flush(w.ctx))
	w.loaded = false
}
