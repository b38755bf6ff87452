package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/georgysavva/scany/v2/sqlscan"
	"github.com/jmoiron/sqlx"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite" // the engine on SQLite
)

// ScanSQLite returns an SQLite database in a temporary folder.
func ScanSQLite(ctx context.Context) (ScanBackend, error) {
	dir, err := os.MkdirTemp("", "scan")
	if err != nil {
		return ScanBackend{}, err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "scan.db"))
	if err != nil {
		return ScanBackend{}, errors.Join(err, os.RemoveAll(dir))
	}
	db.SetMaxOpenConns(1)
	end := func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }
	if err := seedScan(ctx, db); err != nil {
		return ScanBackend{}, errors.Join(err, end())
	}
	eng, err := engine.Open(ctx, "sqlite:"+filepath.Join(dir, "scan.db"))
	if err != nil {
		return ScanBackend{}, errors.Join(err, end())
	}
	end = func() error { return errors.Join(eng.Dispose(), db.Close(), os.RemoveAll(dir)) }
	subjects := append([]ScanSubject{
		{Name: "database/sql, Scan by hand", All: handAll(db), One: handOne(db, scanOne+"?")},
		engineSubject(eng),
	}, scanSubjects(db, "sqlite", "?", sqlitedialect.New(), scan.WithConversions())...)
	return ScanBackend{"SQLite", subjects, end}, nil
}

// engineSubject reads through an engine, with an empty chain.
func engineSubject(eng *engine.Engine) ScanSubject {
	one := scanOne + "?"
	return ScanSubject{
		"sessionproxy, engine",
		func(ctx context.Context) ([]ScanItem, error) {
			return engine.All[ScanItem](ctx, eng, engine.Text(scanAll))
		},
		func(ctx context.Context, id int64) (ScanItem, error) {
			return engine.One[ScanItem](ctx, eng, engine.Text(one, id))
		},
	}
}

// seedScan makes the table.
func seedScan(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `CREATE TABLE scanned (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, price REAL NOT NULL,
		stock INTEGER NOT NULL, active BOOLEAN NOT NULL, image BLOB NOT NULL, created_at TIMESTAMP NOT NULL)`); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO scanned VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for id := int64(1); id <= ScanRows; id++ {
		it := scanItem(id)
		at := it.CreatedAt.Format("2006-01-02 15:04:05")
		if _, err := insert.ExecContext(ctx, it.ID, it.Name, it.Note, it.Price, it.Stock, it.Active, it.Image, at); err != nil {
			return fmt.Errorf("bench: seed row %d: %w", id, err)
		}
	}
	return tx.Commit()
}

// handAll reads all rows as fast as database/sql can: straight into the slice.
func handAll(db *sql.DB) func(ctx context.Context) ([]ScanItem, error) {
	return func(ctx context.Context) (items []ScanItem, err error) {
		rows, err := db.QueryContext(ctx, scanAll)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			items = append(items, ScanItem{})
			it := &items[len(items)-1]
			if err := rows.Scan(&it.ID, &it.Name, &it.Note, &it.Price, &it.Stock, &it.Active, &it.Image, &it.CreatedAt); err != nil {
				return nil, err
			}
		}
		return items, rows.Err()
	}
}

func handOne(db *sql.DB, text string) func(ctx context.Context, id int64) (ScanItem, error) {
	return func(ctx context.Context, id int64) (it ScanItem, err error) {
		err = db.QueryRowContext(ctx, text, id).Scan(
			&it.ID, &it.Name, &it.Note, &it.Price, &it.Stock, &it.Active, &it.Image, &it.CreatedAt)
		return it, err
	}
}

// scanSubjects returns the subjects that read through database/sql.
func scanSubjects(db *sql.DB, driver, placeholder string, dialect schema.Dialect, opts ...scan.Option) []ScanSubject {
	x, b, g := sqlx.NewDb(db, driver), bun.NewDB(db, dialect), openGorm(db, driver)
	text := scanOne + placeholder
	return []ScanSubject{
		{
			"sessionproxy, engine/scan",
			func(ctx context.Context) ([]ScanItem, error) { return planAll(ctx, db, opts) },
			func(ctx context.Context, id int64) (ScanItem, error) { return planOne(ctx, db, text, id, opts) },
		},
		into("sqlx",
			func(ctx context.Context, items *[]ScanItem) error { return x.SelectContext(ctx, items, scanAll) },
			func(ctx context.Context, it *ScanItem, id int64) error { return x.GetContext(ctx, it, text, id) }),
		into("scany",
			func(ctx context.Context, items *[]ScanItem) error { return sqlscan.Select(ctx, db, items, scanAll) },
			func(ctx context.Context, it *ScanItem, id int64) error { return sqlscan.Get(ctx, db, it, text, id) }),
		into("bun",
			func(ctx context.Context, items *[]ScanItem) error { return b.NewRaw(scanAll).Scan(ctx, items) },
			func(ctx context.Context, it *ScanItem, id int64) error {
				return b.NewRaw(scanOne+"?", id).Scan(ctx, it)
			}),
		into("gorm",
			func(ctx context.Context, items *[]ScanItem) error {
				return g.WithContext(ctx).Raw(scanAll).Scan(items).Error
			},
			func(ctx context.Context, it *ScanItem, id int64) error {
				return g.WithContext(ctx).Raw(scanOne+"?", id).Scan(it).Error
			}),
	}
}

// into makes a subject of functions that read into a variable.
func into(name string, all func(ctx context.Context, items *[]ScanItem) error, one func(ctx context.Context, it *ScanItem, id int64) error) ScanSubject {
	return ScanSubject{
		name,
		func(ctx context.Context) ([]ScanItem, error) {
			var items []ScanItem
			err := all(ctx, &items)
			return items, err
		},
		func(ctx context.Context, id int64) (ScanItem, error) {
			var it ScanItem
			err := one(ctx, &it, id)
			return it, err
		},
	}
}

func planAll(ctx context.Context, db *sql.DB, opts []scan.Option) ([]ScanItem, error) {
	rows, err := db.QueryContext(ctx, scanAll) //nolint:rowserrcheck // Append has it
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	plan, err := scan.PlanFor[ScanItem](columns, opts...)
	if err != nil {
		return nil, err
	}
	return plan.Append(rows, nil)
}

func planOne(ctx context.Context, db *sql.DB, text string, id int64, opts []scan.Option) (it ScanItem, err error) {
	rows, err := db.QueryContext(ctx, text, id)
	if err != nil {
		return it, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return it, err
	}
	plan, err := scan.PlanFor[ScanItem](columns, opts...)
	if err != nil {
		return it, err
	}
	if !rows.Next() {
		return it, errors.Join(rows.Err(), sql.ErrNoRows)
	}
	err = plan.Scan(rows, &it)
	return it, err
}
