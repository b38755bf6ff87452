package orm_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Realm's key changes, and goes on by ON UPDATE CASCADE; its names are unique.
type Realm struct {
	Code    string    `orm:",pk"`
	Name    string    `orm:",unique"`
	Version int       `orm:",version"`
	Charter *Charter  `orm:"rel:has-one,fk:realm_code,cascade:all+orphan"`
	Hamlets []*Hamlet `orm:"rel:has-many,fk:realm_code,cascade:save+merge+refresh"`
}

// Charter shares the key of its realm.
type Charter struct {
	RealmCode string `orm:"realm_code,pk,references:realm.code"`
	Word      string
}

// Hamlet is in a realm, or in none.
type Hamlet struct {
	ID        int64 `orm:",pk,noauto"`
	RealmCode *string
	Word      string
	Realm     *Realm `orm:"rel:belongs-to,fk:realm_code"`
}

// Scribe and Tome share the tenant.
type Scribe struct {
	Tenant string  `orm:",pk"`
	ID     int64   `orm:",pk"`
	Tomes  []*Tome `orm:"rel:has-many,fk:tenant+scribe_id"`
}

type Tome struct {
	ID       int64 `orm:",pk,noauto"`
	Tenant   string
	ScribeID *int64
	Scribe   *Scribe `orm:"rel:belongs-to,fk:tenant+scribe_id"`
}

var keyTables = []string{
	"CREATE TABLE realm (code TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL)",
	"CREATE TABLE charter (realm_code TEXT PRIMARY KEY REFERENCES realm ON UPDATE CASCADE, word TEXT NOT NULL)",
	"CREATE TABLE hamlet (id INTEGER PRIMARY KEY, realm_code TEXT REFERENCES realm ON UPDATE CASCADE, word TEXT NOT NULL)",
	"CREATE TABLE scribe (tenant TEXT, id INTEGER, PRIMARY KEY (tenant, id))",
	"CREATE TABLE tome (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, scribe_id INTEGER, FOREIGN KEY (tenant, scribe_id) REFERENCES scribe (tenant, id))",
}

// realms is what the rows should be, by name or id.
type realms struct {
	realm   map[string]string // code → name
	charter map[string]string // code → word
	hamlet  map[int64]string  // id → code, or ""
	scribe  map[int64]string  // id → tenant
	tome    map[int64]int64   // id → scribe, or 0; its tenant is that of its first scribe
}

func (r realms) clone() realms {
	return realms{maps.Clone(r.realm), maps.Clone(r.charter), maps.Clone(r.hamlet), maps.Clone(r.scribe), maps.Clone(r.tome)}
}

// keyWorld is a session and a model of it. The objects are those that were read
// last.
type keyWorld struct {
	ctx       context.Context
	db        database
	s         *orm.Session
	now, kept realms
	realm     map[string]*Realm
	hamlet    map[int64]*Hamlet
	scribe    map[int64]*Scribe
	tome      map[int64]*Tome
	loaded    bool
	rekeyed   map[*Realm]bool // since the last flush, or longer
	words     int
}

// TestRandomKeysAgreeWithAModel changes keys and unique values, replaces what
// shares a key, expires graphs, and attaches what was changed elsewhere.
func TestRandomKeysAgreeWithAModel(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite:"+t.TempDir()+"/keys.db")
	for _, text := range keyTables {
		must(db.Execute(t.Context(), engine.Text(text)))
	}
	rapid.Check(t, func(t *rapid.T) {
		w := &keyWorld{ctx: context.Background(), db: db, rekeyed: map[*Realm]bool{}}
		for _, table := range []string{"tome", "scribe", "hamlet", "charter", "realm"} {
			expect(t, second(db.Execute(w.ctx, engine.Text("DELETE FROM "+table))))
		}
		w.now = realms{map[string]string{}, map[string]string{}, map[int64]string{}, map[int64]string{}, map[int64]int64{}}
		w.kept = w.now.clone()
		w.s = orm.NewSession(db.Engine)
		defer w.s.Close(w.ctx)
		w.read(t)
		t.Repeat(map[string]func(*rapid.T){
			"add a realm": w.addRealm, "another key": w.rekey, "exchange names": w.exchange, "another charter": w.recharter, "no charter": w.uncharter,
			"add a hamlet": w.addHamlet, "move a hamlet": w.moveHamlet, "delete a realm": w.deleteRealm, "expire a graph": w.expire,
			"attach": w.attach, "add a scribe": w.addScribe, "add a tome": w.addTome, "let a tome go": w.letTomeGo, "delete a scribe": w.deleteScribe,
			"exchange keys": w.exchangeKeys, "delete in vain": w.deleteInVain, "clear out": w.clearOut,
			"flush": func(t *rapid.T) { expect(t, w.s.Flush(w.ctx)) }, "query": w.read, "forget": w.forget, "commit": w.commit, "rollback": w.rollback,
		})
		w.commit(t)
	})
}

func (w *keyWorld) word() string {
	w.words++
	return fmt.Sprint("word ", w.words)
}

// load reads relations, if they were not.
func (w *keyWorld) load(t *rapid.T) {
	if !w.loaded {
		w.read(t)
	}
}

// read reads everything and compares it with the model.
func (w *keyWorld) read(t *rapid.T) {
	t.Helper()
	got := realms{map[string]string{}, map[string]string{}, map[int64]string{}, map[int64]string{}, map[int64]int64{}}
	before := *w
	w.realm, w.hamlet, w.scribe, w.tome, w.loaded = map[string]*Realm{}, map[int64]*Hamlet{}, map[int64]*Scribe{}, map[int64]*Tome{}, true
	all, err := orm.From[Realm]().With("Charter", "Hamlets").All(w.ctx, w.s)
	expect(t, err)
	for _, r := range all {
		w.realm[r.Code], got.realm[r.Code] = r, r.Name
		if r.Charter != nil {
			if got.charter[r.Code] = r.Charter.Word; r.Charter.RealmCode != r.Code {
				t.Fatalf("the charter of %s is that of %s", r.Code, r.Charter.RealmCode)
			}
		}
		for _, h := range r.Hamlets {
			if h.RealmCode == nil || *h.RealmCode != r.Code {
				t.Fatalf("hamlet %d of %s is in %v", h.ID, r.Code, h.RealmCode)
			}
		}
	}
	hamlets, err := orm.From[Hamlet]().With("Realm").All(w.ctx, w.s)
	expect(t, err)
	for _, h := range hamlets {
		w.hamlet[h.ID], got.hamlet[h.ID] = h, ""
		if h.RealmCode != nil {
			if got.hamlet[h.ID] = *h.RealmCode; h.Realm != w.realm[*h.RealmCode] || !slices.Contains(h.Realm.Hamlets, h) {
				t.Fatalf("hamlet %d is in %s, and points to %+v", h.ID, *h.RealmCode, h.Realm)
			}
		}
	}
	scribes, err := orm.From[Scribe]().With("Tomes").All(w.ctx, w.s)
	expect(t, err)
	for _, s := range scribes {
		w.scribe[s.ID], got.scribe[s.ID] = s, s.Tenant
	}
	tomes, err := orm.From[Tome]().With("Scribe").All(w.ctx, w.s)
	expect(t, err)
	for _, o := range tomes {
		w.tome[o.ID], got.tome[o.ID] = o, 0
		if o.ScribeID != nil {
			got.tome[o.ID] = *o.ScribeID
		}
	}
	w.compare(t, "the objects", got)
	for code, r := range before.realm {
		if now := w.realm[r.Code]; w.now.realm[r.Code] != "" && now != r && w.s.Contains(r) {
			t.Fatalf("%s (%s) has the object %p, want %p", r.Code, code, now, r)
		}
	}
}

func (w *keyWorld) compare(t *rapid.T, what string, got realms) {
	t.Helper()
	if !maps.Equal(got.realm, w.now.realm) || !maps.Equal(got.charter, w.now.charter) || !maps.Equal(got.hamlet, w.now.hamlet) ||
		!maps.Equal(got.scribe, w.now.scribe) || !maps.Equal(got.tome, w.now.tome) {
		t.Fatalf("%s are\n%v, want\n%v", what, got, w.now)
	}
}

var codes = []string{"a", "b", "c", "d"}

func (w *keyWorld) freeCode(t *rapid.T) string {
	code := rapid.SampledFrom(codes).Draw(t, "code")
	if _, taken := w.now.realm[code]; taken {
		t.Skip("it is there")
	}
	return code
}

func pickCode(t *rapid.T, from map[string]string) string {
	if len(from) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, "realm")
}

// forget lets go of all objects, after a flush, and reads them without their
// relations.
func (w *keyWorld) forget(t *rapid.T) {
	expect(t, w.s.Flush(w.ctx))
	w.s.ExpungeAll()
	w.again(t)
}

// again reads the objects without their relations.
func (w *keyWorld) again(t *rapid.T) {
	w.realm, w.hamlet, w.scribe, w.tome, w.loaded = map[string]*Realm{}, map[int64]*Hamlet{}, map[int64]*Scribe{}, map[int64]*Tome{}, false
	all, err := orm.From[Realm]().All(w.ctx, w.s)
	expect(t, err)
	for _, r := range all {
		w.realm[r.Code] = r
	}
	scribes, err := orm.From[Scribe]().All(w.ctx, w.s)
	expect(t, err)
	for _, s := range scribes {
		w.scribe[s.ID] = s
	}
}

func (w *keyWorld) commit(t *rapid.T) {
	expect(t, w.s.Commit(w.ctx))
	w.kept = w.now.clone()
	w.read(t)
}

func (w *keyWorld) rollback(t *rapid.T) {
	expect(t, w.s.Rollback(w.ctx))
	w.now = w.kept.clone()
	if rapid.Bool().Draw(t, "without relations") {
		w.again(t)
	} else {
		w.read(t)
	}
}
