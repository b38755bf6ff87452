package bench

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

const (
	sqliteInsertArticle = "INSERT INTO articles (" + articleValues + ") VALUES "
	sqliteArticleValues = "(?, ?, ?, ?, ?, ?)"
	sqliteUpdateArticle = "UPDATE articles SET price = ?, stock = ? WHERE id = ?"
	sqliteDeleteArticle = "DELETE FROM articles WHERE id = ?"
)

// sqliteWork is database/sql, written by hand.
type sqliteWork struct {
	db     *sql.DB
	tx     *sql.Tx   // of what Get reads
	get    *sql.Stmt // in tx
	insert func(ctx context.Context, tx *sql.Tx, added []*Article) error
}

// sqliteHand returns the forms that are written by hand.
func sqliteHand(db *sql.DB) []OrmSubject {
	by := func(name string, insert func(ctx context.Context, tx *sql.Tx, added []*Article) error, loads ...string) OrmSubject {
		return OrmSubject{name, "database/sql, Scan by hand", true, loads, func(context.Context) OrmWork { return &sqliteWork{db: db, insert: insert} }}
	}
	return []OrmSubject{
		by("database/sql, prepared statements", insertPrepared),
		by("database/sql, 100 rows in one INSERT", insertMany, "insert"),
	}
}

// Load implements [OrmWork].
func (w *sqliteWork) Load(ctx context.Context) (out []*Article, err error) {
	rows, err := w.db.QueryContext(ctx, articleAll)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		a := &Article{}
		if err := scanArticle(rows, a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// Get implements [OrmWork].
func (w *sqliteWork) Get(ctx context.Context, id int64) (_ *Article, err error) {
	if w.tx == nil {
		if w.tx, err = w.db.BeginTx(ctx, nil); err != nil {
			return nil, err
		}
		if w.get, err = w.tx.PrepareContext(ctx, articleAll+" WHERE id = ?"); err != nil {
			return nil, err
		}
	}
	a := &Article{}
	return a, scanArticle(w.get.QueryRowContext(ctx, id), a)
}

// Write implements [OrmWork].
func (w *sqliteWork) Write(ctx context.Context, u OrmUnit) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	err = eachPrepared(ctx, tx, sqliteUpdateArticle, u.Changed, func(update *sql.Stmt, a *Article) error {
		_, err := update.ExecContext(ctx, a.Price, a.Stock, a.ID)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.insert(ctx, tx, u.Added); err != nil {
		return err
	}
	err = eachPrepared(ctx, tx, sqliteDeleteArticle, u.Gone, func(del *sql.Stmt, a *Article) error {
		_, err := del.ExecContext(ctx, a.ID)
		return err
	})
	if err != nil {
		return err
	}
	return tx.Commit()
}

// Close implements [OrmWork].
func (w *sqliteWork) Close(context.Context) error {
	if w.tx == nil {
		return nil
	}
	return errors.Join(w.get.Close(), w.tx.Rollback())
}

// eachPrepared prepares a statement, if it is needed, and hands it over with
// each article.
func eachPrepared(ctx context.Context, tx *sql.Tx, text string, articles []*Article, do func(st *sql.Stmt, a *Article) error) error {
	if len(articles) == 0 {
		return nil
	}
	st, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer st.Close()
	for _, a := range articles {
		if err := do(st, a); err != nil {
			return err
		}
	}
	return nil
}

func insertPrepared(ctx context.Context, tx *sql.Tx, added []*Article) error {
	return eachPrepared(ctx, tx, sqliteInsertArticle+sqliteArticleValues, added, func(insert *sql.Stmt, a *Article) error {
		res, err := insert.ExecContext(ctx, a.Name, a.Note, a.Price, a.Stock, a.Active, a.CreatedAt)
		if err != nil {
			return err
		}
		a.ID, err = res.LastInsertId()
		return err
	})
}

// insertMany inserts several rows at once, and takes their keys to be the last
// one and those before it: SQLite gives a table without gaps consecutive keys
// within a transaction.
func insertMany(ctx context.Context, tx *sql.Tx, added []*Article) error {
	for part := range slices.Chunk(added, 100) {
		text := sqliteInsertArticle + strings.Repeat(sqliteArticleValues+", ", len(part)-1) + sqliteArticleValues
		args := make([]any, 0, 6*len(part))
		for _, a := range part {
			args = append(args, a.Name, a.Note, a.Price, a.Stock, a.Active, a.CreatedAt)
		}
		res, err := tx.ExecContext(ctx, text, args...)
		if err != nil {
			return err
		}
		last, err := res.LastInsertId()
		if err != nil {
			return err
		}
		for i, a := range part {
			a.ID = last - int64(len(part)-1-i)
		}
	}
	return nil
}
