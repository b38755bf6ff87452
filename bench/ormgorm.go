package bench

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// ormBatch is how many rows gorm and bun insert with one statement: 1,000 rows
// of 6 values stay below the bounds on parameters of both databases.
const ormBatch = 1_000

// gormWork is gorm, as its guide has it.
type gormWork struct{ db, tx *gorm.DB }

func gormSubject(db *sql.DB, driver string) OrmSubject {
	g := openGorm(db, driver)
	return OrmSubject{"gorm", "", false, nil, func(context.Context) OrmWork { return &gormWork{db: g} }}
}

// Load implements [OrmWork].
func (w *gormWork) Load(ctx context.Context) (out []*Article, err error) {
	return out, w.db.WithContext(ctx).Find(&out).Error
}

// Get implements [OrmWork].
func (w *gormWork) Get(ctx context.Context, id int64) (*Article, error) {
	if w.tx == nil {
		w.tx = w.db.WithContext(ctx).Begin()
	}
	a := &Article{}
	return a, w.tx.First(a, id).Error
}

// Write implements [OrmWork].
func (w *gormWork) Write(ctx context.Context, u OrmUnit) error {
	return w.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, a := range u.Changed {
			if err := tx.Model(a).Select("price", "stock").Updates(a).Error; err != nil {
				return err
			}
		}
		if len(u.Added) > 0 {
			if err := tx.CreateInBatches(u.Added, ormBatch).Error; err != nil {
				return err
			}
		}
		if len(u.Gone) > 0 {
			return tx.Delete(u.Gone).Error
		}
		return nil
	})
}

// Close implements [OrmWork].
func (w *gormWork) Close(context.Context) error {
	if w.tx == nil {
		return nil
	}
	return w.tx.Rollback().Error
}
