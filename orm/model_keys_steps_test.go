package orm_test

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/orm"
)

// What the model of keys does, a step each.

func (w *keyWorld) addRealm(t *rapid.T) {
	w.load(t)
	code := w.freeCode(t)
	r := &Realm{Code: code, Name: w.word()}
	w.now.realm[code], w.realm[code] = r.Name, r
	if rapid.Bool().Draw(t, "with a charter") {
		if len(w.rekeyed) > 0 { // a charter that goes, and one that takes its key which goes on, are refused
			expect(t, w.s.Flush(w.ctx))
			clear(w.rekeyed)
		}
		r.Charter = &Charter{Word: w.word()}
		w.now.charter[code] = r.Charter.Word
	}
	expect(t, w.s.Add(r))
	if rapid.Bool().Draw(t, "flush") {
		expect(t, w.s.Flush(w.ctx))
	}
}

// rekey gives a realm another key, with relations that were read or not.
func (w *keyWorld) rekey(t *rapid.T) {
	old := pickCode(t, w.now.realm)
	code := w.freeCode(t)
	r := w.realm[old]
	if w.rekeyed[r] { // keys that go round in a circle are refused by the database
		expect(t, w.s.Flush(w.ctx))
		clear(w.rekeyed)
	}
	w.rekeyed[r] = true
	r.Code = code
	w.now.realm[code], w.realm[code] = w.now.realm[old], r
	delete(w.now.realm, old)
	delete(w.realm, old)
	if word, has := w.now.charter[old]; has {
		w.now.charter[code] = word
		delete(w.now.charter, old)
	}
	for id, in := range w.now.hamlet {
		if in == old {
			w.now.hamlet[id] = code
		}
	}
	if !w.loaded || rapid.Bool().Draw(t, "flush") {
		expect(t, w.s.Flush(w.ctx))
	}
}

// exchange passes the names of all realms on, in a circle or along a chain.
func (w *keyWorld) exchange(t *rapid.T) {
	w.load(t) // of an expired object nobody knows which value it gives up
	all := slices.Sorted(maps.Keys(w.now.realm))
	if len(all) < 2 {
		t.Skip("there are not two")
	}
	all = rapid.Permutation(all).Draw(t, "order")[:rapid.IntRange(2, len(all)).Draw(t, "of")]
	name := w.now.realm[all[0]]
	if rapid.Bool().Draw(t, "chain") {
		name = w.word()
	}
	for i, code := range all {
		next := name
		if i+1 < len(all) {
			next = w.now.realm[all[i+1]]
		}
		w.now.realm[code], w.realm[code].Name = next, next
	}
	expect(t, w.s.Flush(w.ctx)) // what was assigned to an expired object counts as changed if it differs
}

func (w *keyWorld) recharter(t *rapid.T) {
	w.load(t)
	code := pickCode(t, w.now.realm)
	w.realm[code].Charter = &Charter{Word: w.word()}
	if rapid.Bool().Draw(t, "with its key") {
		w.realm[code].Charter.RealmCode = code
	}
	w.now.charter[code] = w.realm[code].Charter.Word
	expect(t, w.s.Add(w.realm[code]))
	expect(t, w.s.Flush(w.ctx))
}

func (w *keyWorld) uncharter(t *rapid.T) {
	w.load(t)
	code := pickCode(t, w.now.charter)
	w.realm[code].Charter = nil
	delete(w.now.charter, code)
}

func (w *keyWorld) addHamlet(t *rapid.T) {
	w.load(t)
	id := rapid.Int64Range(1, 5).Draw(t, "hamlet")
	if _, taken := w.now.hamlet[id]; taken {
		t.Skip("it is there")
	}
	code := pickCode(t, w.now.realm)
	h := &Hamlet{ID: id, Word: w.word()}
	w.now.hamlet[id], w.hamlet[id] = code, h
	if rapid.Bool().Draw(t, "by pointer") {
		h.Realm = w.realm[code]
		expect(t, w.s.Add(h))
	} else {
		w.realm[code].Hamlets = append(w.realm[code].Hamlets, h)
		expect(t, w.s.Add(w.realm[code]))
	}
	expect(t, w.s.Flush(w.ctx)) // which lets both sides know
}

// moveHamlet moves a hamlet to another realm or to none, right after the key of its
// realm has changed, or not.
func (w *keyWorld) moveHamlet(t *rapid.T) {
	w.load(t)
	id := pick(t, "hamlet", w.now.hamlet)
	from, h := w.now.hamlet[id], w.hamlet[id]
	if r := w.realm[from]; r != nil {
		r.Hamlets = without(r.Hamlets, h)
	}
	w.now.hamlet[id] = ""
	if rapid.Bool().Draw(t, "to another") {
		to := pickCode(t, w.now.realm)
		w.now.hamlet[id] = to
		w.realm[to].Hamlets = append(w.realm[to].Hamlets, h)
	}
	expect(t, w.s.Flush(w.ctx))
}

func (w *keyWorld) deleteRealm(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	code := pickCode(t, w.now.realm)
	expect(t, w.s.Delete(w.ctx, w.realm[code]))
	delete(w.now.realm, code)
	delete(w.now.charter, code)
	delete(w.realm, code)
	for id, in := range w.now.hamlet {
		if in == code {
			w.now.hamlet[id] = ""
		}
	}
	expect(t, w.s.Flush(w.ctx))
	w.loaded = false
}

// expire expires a realm with its hamlets: what was changed in them is forgotten,
// and a hamlet that was not yet inserted leaves the session.
func (w *keyWorld) expire(t *rapid.T) {
	w.load(t)
	code := pickCode(t, w.now.realm)
	expect(t, w.s.Flush(w.ctx))
	r := w.realm[code]
	r.Name, r.Code = "nobody hears of it", "x"
	for _, h := range r.Hamlets {
		h.Word = "nor of this"
	}
	pending := &Hamlet{ID: 99, Word: "never"}
	r.Hamlets = append(r.Hamlets, pending)
	if rapid.Bool().Draw(t, "added") {
		expect(t, w.s.Add(r))
	}
	expect(t, w.s.Expire(r))
	if w.s.Contains(pending) {
		t.Fatal("a pending member is in the session")
	}
	r.Hamlets = nil // what an expired object holds is not what there is
	expect(t, w.s.Expire(r, "Hamlets"))
	w.loaded = false
}

// attach lets a realm go, changes a copy of it outside, and attaches that.
func (w *keyWorld) attach(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	code := pickCode(t, w.now.realm)
	w.s.ExpungeAll()
	fresh, err := orm.From[Realm]().Where("code = ?", code).NoTrack().One(w.ctx, w.s)
	expect(t, err)
	edited := &Realm{Code: fresh.Code, Name: w.word(), Version: fresh.Version}
	expect(t, w.s.AttachChanged(edited, fresh))
	w.now.realm[code] = edited.Name
	expect(t, w.s.Flush(w.ctx))
	w.realm = map[string]*Realm{code: edited}
	w.read(t)
	if w.realm[code] != edited {
		t.Fatal("what was attached is not the session's object")
	}
}

func (w *keyWorld) addScribe(t *rapid.T) {
	id := rapid.Int64Range(1, 3).Draw(t, "scribe")
	if _, taken := w.now.scribe[id]; taken {
		t.Skip("it is there")
	}
	s := &Scribe{Tenant: rapid.SampledFrom([]string{"t", "u"}).Draw(t, "tenant"), ID: id}
	w.now.scribe[id], w.scribe[id] = s.Tenant, s
	expect(t, w.s.Add(s))
}

func (w *keyWorld) addTome(t *rapid.T) {
	w.load(t)
	id, by := rapid.Int64Range(1, 4).Draw(t, "tome"), pick(t, "scribe", w.now.scribe)
	if _, taken := w.now.tome[id]; taken {
		t.Skip("it is there")
	}
	o := &Tome{ID: id}
	w.now.tome[id], w.tome[id] = by, o
	if rapid.Bool().Draw(t, "with its tenant") {
		o.Tenant = w.now.scribe[by]
	}
	if rapid.Bool().Draw(t, "by pointer") {
		o.Scribe = w.scribe[by]
		expect(t, w.s.Add(o))
	} else {
		w.scribe[by].Tomes = append(w.scribe[by].Tomes, o)
		expect(t, w.s.Add(w.scribe[by]))
	}
	expect(t, w.s.Flush(w.ctx))
}

func (w *keyWorld) letTomeGo(t *rapid.T) {
	w.load(t)
	id := pick(t, "tome", w.now.tome)
	by := w.scribe[w.now.tome[id]]
	if by == nil {
		t.Skip("it has none")
	}
	if rapid.Bool().Draw(t, "by pointer") {
		w.tome[id].Scribe = nil
	} else {
		by.Tomes = without(by.Tomes, w.tome[id])
	}
	w.now.tome[id] = 0
	expect(t, w.s.Flush(w.ctx))
}

func (w *keyWorld) deleteScribe(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	id := pick(t, "scribe", w.now.scribe)
	expect(t, w.s.Delete(w.ctx, w.scribe[id]))
	delete(w.now.scribe, id)
	delete(w.scribe, id)
	for tome, by := range w.now.tome {
		if by == id {
			w.now.tome[tome] = 0
		}
	}
	expect(t, w.s.Flush(w.ctx))
	w.loaded = false
}
