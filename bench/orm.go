package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
)

// An Article is a row of the table articles, to every mapper.
type Article struct {
	// ID is the key, which the database generates.
	ID int64 `bun:"id,pk,autoincrement" gorm:"primaryKey"`
	// Name is a text.
	Name string
	// Note is a text that is NULL in every third row.
	Note *string
	// Price is a float.
	Price float64
	// Stock is an integer.
	Stock int32
	// Active is a bool.
	Active bool
	// CreatedAt is a time, which the application gives.
	CreatedAt time.Time
}

// TableName tells orm and gorm what bun makes of the type's name by itself.
func (Article) TableName() string { return "articles" }

// newArticles returns articles without keys.
func newArticles(n int) []*Article {
	out := make([]*Article, n)
	for i := range out {
		a := &Article{
			Name: fmt.Sprintf("article %d", i), Price: float64(i) / 4, Stock: int32(i % 1000), Active: i%2 == 0,
			CreatedAt: time.Date(2024, 2, 29, 12, 0, i, 0, time.UTC),
		}
		if i%3 != 0 {
			note := fmt.Sprintf("note of article %d", i)
			a.Note = &note
		}
		out[i] = a
	}
	return out
}

// alter changes what a workload's updates change, and nothing else.
func alter(articles []*Article) {
	for _, a := range articles {
		a.Stock++
		a.Price += 0.5
	}
}

// An OrmUnit is what one transaction does.
type OrmUnit struct {
	// Added are inserted, and get their keys.
	Added []*Article
	// Changed were loaded, and altered.
	Changed []*Article
	// Gone were loaded, and are deleted.
	Gone []*Article
}

// An OrmWork reads and writes in the manner of one subject. It is used by one
// goroutine.
type OrmWork interface {
	// Load reads the whole table.
	Load(ctx context.Context) ([]*Article, error)
	// Get reads the article of a key, which exists. All calls are in one
	// transaction.
	Get(ctx context.Context, id int64) (*Article, error)
	// Write performs a unit in a transaction and commits it.
	Write(ctx context.Context, u OrmUnit) error
	// Close ends what is open. It is called once.
	Close(ctx context.Context) error
}

// An OrmSubject is one way of keeping objects in a database.
type OrmSubject struct {
	// Name is what the table calls it.
	Name string
	// Reads is what the table calls it where it only reads; empty for Name.
	Reads string
	// Hand says that it is written for this table alone, by hand.
	Hand bool
	// Loads are parts of the names of the operations that it differs in from
	// another subject. None are all.
	Loads []string
	// Open begins work.
	Open func(ctx context.Context) OrmWork
}

// called returns the subject's name under a load.
func (s OrmSubject) called(l ormLoad) string {
	if l.reads && s.Reads != "" {
		return s.Reads
	}
	return s.Name
}

// does reports whether the subject is measured under a load.
func (s OrmSubject) does(load string) bool {
	return s.Loads == nil || slices.ContainsFunc(s.Loads, func(part string) bool { return strings.Contains(load, part) })
}

// An OrmBackend is a database with the table, and the ways to it.
type OrmBackend struct {
	// Name is what the table calls it.
	Name string
	// Subjects are what is compared, those written by hand first.
	Subjects []OrmSubject
	// Empty empties the table.
	Empty func(ctx context.Context) error
	// Analyze tells the database to look at what the table holds.
	Analyze func(ctx context.Context) error
	// Close ends it.
	Close func() error

	engine *engine.Engine
}

// Reset makes the table one of n articles, with the keys 1 to n.
func (o OrmBackend) Reset(ctx context.Context, n int) error {
	if err := o.Empty(ctx); err != nil || n == 0 {
		return err
	}
	err := o.within(ctx, o.Subjects[0], func(w OrmWork) error { return w.Write(ctx, OrmUnit{Added: newArticles(n)}) })
	if err != nil {
		return err
	}
	return o.Analyze(ctx)
}

// within does something with a subject's work.
func (OrmBackend) within(ctx context.Context, s OrmSubject, do func(w OrmWork) error) error {
	w := s.Open(ctx)
	return errors.Join(do(w), w.Close(ctx))
}
