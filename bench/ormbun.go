package bench

import (
	"context"
	"database/sql"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// bunWork is bun with its bulk forms.
type bunWork struct {
	db *bun.DB
	tx bun.Tx
}

func bunSubject(db *sql.DB, dialect schema.Dialect) OrmSubject {
	b := bun.NewDB(db, dialect)
	return OrmSubject{"bun", "", false, nil, func(context.Context) OrmWork { return &bunWork{db: b} }}
}

// Load implements [OrmWork].
func (w *bunWork) Load(ctx context.Context) (out []*Article, err error) {
	return out, w.db.NewSelect().Model(&out).Scan(ctx)
}

// Get implements [OrmWork].
func (w *bunWork) Get(ctx context.Context, id int64) (_ *Article, err error) {
	if w.tx.Tx == nil {
		if w.tx, err = w.db.BeginTx(ctx, nil); err != nil {
			return nil, err
		}
	}
	a := &Article{ID: id}
	return a, w.tx.NewSelect().Model(a).WherePK().Scan(ctx)
}

// Write implements [OrmWork].
func (w *bunWork) Write(ctx context.Context, u OrmUnit) error {
	return w.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if len(u.Changed) > 0 {
			if _, err := tx.NewUpdate().Model(&u.Changed).Column("price", "stock").Bulk().Exec(ctx); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(u.Added, ormBatch) {
			if _, err := tx.NewInsert().Model(&part).Exec(ctx); err != nil {
				return err
			}
		}
		if len(u.Gone) > 0 {
			_, err := tx.NewDelete().Model(&u.Gone).WherePK().Exec(ctx)
			return err
		}
		return nil
	})
}

// Close implements [OrmWork].
func (w *bunWork) Close(context.Context) error {
	if w.tx.Tx == nil {
		return nil
	}
	return w.tx.Rollback()
}
