package bench

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// A ScanItem is a row of the table that is read into structs.
type ScanItem struct {
	// ID is the primary key, from 1 to [ScanRows].
	ID int64 `db:"id"`
	// Name is a text.
	Name string `db:"name"`
	// Note is a text that is NULL in every third row.
	Note *string `db:"note"`
	// Price is a float.
	Price float64 `db:"price"`
	// Stock is an integer.
	Stock int32 `db:"stock"`
	// Active is a bool.
	Active bool `db:"active"`
	// Image is a few bytes.
	Image []byte `db:"image"`
	// CreatedAt is a time.
	CreatedAt time.Time `db:"created_at"`
}

// ScanRows is how many rows the table has.
const ScanRows = 10_000

const (
	scanColumns = "id, name, note, price, stock, active, image, created_at"
	scanAll     = "SELECT " + scanColumns + " FROM scanned"
	scanOne     = scanAll + " WHERE id = "
)

// scanItem returns the row of a primary key.
func scanItem(id int64) ScanItem {
	it := ScanItem{
		ID: id, Name: fmt.Sprintf("item %d", id), Price: float64(id) / 4, Stock: int32(id % 1000), Active: id%2 == 0,
		Image: []byte{byte(id), 0, 255}, CreatedAt: time.Date(2024, 2, 29, 12, 0, int(id), 0, time.UTC),
	}
	if id%3 != 0 {
		note := fmt.Sprintf("note of item %d", id)
		it.Note = &note
	}
	return it
}

// A ScanSubject is one way of reading rows into structs.
type ScanSubject struct {
	// Name is what the table calls it.
	Name string
	// All reads the whole table.
	All func(ctx context.Context) ([]ScanItem, error)
	// One reads the row of a primary key.
	One func(ctx context.Context, id int64) (ScanItem, error)
}

// A ScanBackend is what reading is measured on.
type ScanBackend struct {
	// Name is what the table calls it.
	Name string
	// Subjects are what is compared, hand-written code first.
	Subjects []ScanSubject
	// Close ends it.
	Close func() error
}

// Tables returns the tables of reading all rows and of looking one up.
func (s ScanBackend) Tables() []Table {
	all, one := Table{Name: fmt.Sprintf("scan %d rows", ScanRows)}, Table{Name: "scan one row"}
	for _, subject := range s.Subjects {
		all.Cases = append(all.Cases, Case{subject.Name, "", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if items, err := subject.All(b.Context()); err != nil || len(items) != ScanRows {
					b.Fatal(len(items), err)
				}
			}
		}})
		one.Cases = append(one.Cases, Case{subject.Name, "", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if item, err := subject.One(b.Context(), scanID); err != nil || item.ID != scanID {
					b.Fatal(item, err)
				}
			}
		}})
	}
	return []Table{all, one}
}

// scanID is the row that is looked up.
const scanID = 4711
