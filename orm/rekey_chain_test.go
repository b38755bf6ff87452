package orm_test

import (
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Parcel's key is part of its boxes' keys, and theirs of what their labels refer to.
type Parcel struct {
	Code   string   `orm:",pk"`
	Boxes  []*Box   `orm:"rel:has-many,fk:parcel_code,cascade:all+orphan"`
	Depots []*Depot `orm:"rel:many-to-many,through:parcel_depot"`
}

type Box struct {
	ParcelCode string `orm:",pk"`
	No         int    `orm:",pk,noauto"`
	Word       string
	Parcel     *Parcel  `orm:"rel:belongs-to"`
	Labels     []*Label `orm:"rel:has-many,fk:parcel_code+box_no,cascade:all+orphan"`
}

type Label struct {
	ID         int64 `orm:",pk,noauto"`
	ParcelCode *string
	BoxNo      *int
	Box        *Box `orm:"rel:belongs-to,fk:parcel_code+box_no"`
}

type Depot struct {
	ID      int64     `orm:",pk,noauto"`
	Parcels []*Parcel `orm:"rel:many-to-many,through:parcel_depot"`
}

var parcelTables = []string{
	"CREATE TABLE parcel (code VARCHAR(20) PRIMARY KEY)",
	`CREATE TABLE box (parcel_code VARCHAR(20), no INTEGER, word VARCHAR(20) NOT NULL, PRIMARY KEY (parcel_code, no),
		FOREIGN KEY (parcel_code) REFERENCES parcel (code) ON UPDATE CASCADE)`,
	`CREATE TABLE label (id INTEGER PRIMARY KEY, parcel_code VARCHAR(20), box_no INTEGER,
		FOREIGN KEY (parcel_code, box_no) REFERENCES box (parcel_code, no) ON UPDATE CASCADE)`,
	"CREATE TABLE depot (id INTEGER PRIMARY KEY)",
	`CREATE TABLE parcel_depot (parcel_code VARCHAR(20), depot_id INTEGER, PRIMARY KEY (parcel_code, depot_id),
		FOREIGN KEY (parcel_code) REFERENCES parcel (code) ON UPDATE CASCADE, FOREIGN KEY (depot_id) REFERENCES depot (id))`,
}

// A key goes on to rows whose own keys it is a part of, and from them to others;
// whatever is done to any of them, in the same flush or after it, is done.
func TestAKeyThatGoesOnToOtherKeys(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		for _, text := range parcelTables {
			must(db.Execute(t.Context(), engine.Text(text)))
		}
		for name, c := range map[string]struct {
			do   func(s *orm.Session, p *Parcel) error
			want []int // boxes, labels, renamed boxes, labels of box 9, depots, pairs
		}{
			"nothing":          {func(*orm.Session, *Parcel) error { return nil }, []int{2, 2, 0, 0, 2, 2}},
			"a box goes":       {func(_ *orm.Session, p *Parcel) error { p.Boxes = p.Boxes[1:]; return nil }, []int{1, 0, 0, 0, 2, 2}},
			"a box comes":      {func(_ *orm.Session, p *Parcel) error { p.Boxes = append(p.Boxes, &Box{No: 7}); return nil }, []int{3, 2, 0, 0, 2, 2}},
			"a box changes":    {func(_ *orm.Session, p *Parcel) error { p.Boxes[0].Word = "new"; return nil }, []int{2, 2, 1, 0, 2, 2}},
			"a box is 9":       {func(_ *orm.Session, p *Parcel) error { p.Boxes[0].No = 9; return nil }, []int{2, 2, 0, 2, 2, 2}},
			"a box is deleted": {func(s *orm.Session, p *Parcel) error { return s.Delete(t.Context(), p.Boxes[0]) }, []int{1, 0, 0, 0, 2, 2}},
			"a label goes":     {func(_ *orm.Session, p *Parcel) error { p.Boxes[0].Labels = p.Boxes[0].Labels[1:]; return nil }, []int{2, 1, 0, 0, 2, 2}},
			"a label comes": {func(_ *orm.Session, p *Parcel) error {
				p.Boxes[1].Labels = append(p.Boxes[1].Labels, &Label{ID: 7})
				return nil
			}, []int{2, 3, 0, 0, 2, 2}},
			"a label moves": {func(_ *orm.Session, p *Parcel) error {
				p.Boxes[0].Labels, p.Boxes[1].Labels = p.Boxes[0].Labels[1:], p.Boxes[0].Labels[:1]
				return nil
			}, []int{2, 2, 0, 0, 2, 2}},
			"a depot goes":       {func(_ *orm.Session, p *Parcel) error { p.Depots = p.Depots[1:]; return nil }, []int{2, 2, 0, 0, 2, 1}},
			"a depot comes":      {func(_ *orm.Session, p *Parcel) error { p.Depots = append(p.Depots, &Depot{ID: 9}); return nil }, []int{2, 2, 0, 0, 3, 3}},
			"a depot is deleted": {func(s *orm.Session, p *Parcel) error { return s.Delete(t.Context(), p.Depots[0]) }, []int{2, 2, 0, 0, 1, 1}},
			"all is deleted":     {func(s *orm.Session, p *Parcel) error { return s.Delete(t.Context(), p) }, []int{0, 0, 0, 0, 2, 0}},
		} {
			for _, flushed := range []bool{false, true} {
				for _, table := range []string{"parcel_depot", "depot", "label", "box", "parcel"} {
					must(db.Execute(t.Context(), engine.Text("DELETE FROM "+table)))
				}
				s := db.session(t)
				check(t, s.Add(&Parcel{
					Code: "a", Boxes: []*Box{{No: 1, Labels: []*Label{{ID: 1}, {ID: 2}}}, {No: 2}}, Depots: []*Depot{{ID: 1}, {ID: 2}},
				}), s.Commit(t.Context()))
				s.ExpungeAll()
				p := must(orm.From[Parcel]().With("Boxes.Labels", "Depots.Parcels").One(t.Context(), s))
				p.Code = "b"
				if flushed {
					check(t, s.Flush(t.Context()))
				}
				if err := c.do(s, p); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if err := s.Commit(t.Context()); err != nil {
					t.Errorf("%s, flushed %t: %v", name, flushed, err)
					check(t, s.Rollback(t.Context()), s.Close(t.Context()))
					continue
				}
				var got []int
				for _, text := range []string{
					"box WHERE parcel_code = 'b'", "label WHERE parcel_code = 'b'", "box WHERE parcel_code = 'b' AND word = 'new'",
					"label WHERE parcel_code = 'b' AND box_no = 9", "depot", "parcel_depot WHERE parcel_code = 'b'",
				} {
					got = append(got, db.count(t, "SELECT count(*) FROM "+text))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%s, flushed %t: %v, want %v", name, flushed, got, c.want)
				}
				check(t, s.Close(t.Context()))
			}
		}
	})
}
