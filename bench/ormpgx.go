package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	articleValues  = "name, note, price, stock, active, created_at"
	articleColumns = "id, " + articleValues
	articleAll     = "SELECT " + articleColumns + " FROM articles"

	pgxInsertArticle = "INSERT INTO articles (" + articleValues + ") VALUES ($1, $2, $3, $4, $5, $6) RETURNING id"
	pgxUpdateArticle = "UPDATE articles SET price = $1, stock = $2 WHERE id = $3"
	pgxDeleteArticle = "DELETE FROM articles WHERE id = $1"
	// Keys are generated behind the sort, hence in the order of the arrays.
	pgxInsertArticles = `INSERT INTO articles (` + articleValues + `)
		SELECT ` + articleValues + ` FROM unnest($1::text[], $2::text[], $3::float8[], $4::int[], $5::bool[], $6::timestamptz[])
			WITH ORDINALITY AS v (` + articleValues + `, n)
		ORDER BY n RETURNING id`
	pgxUpdateArticles = `UPDATE articles AS a SET price = v.price, stock = v.stock
		FROM unnest($1::float8[], $2::int[], $3::bigint[]) AS v (price, stock, id) WHERE a.id = v.id`
	pgxDeleteArticles = "DELETE FROM articles WHERE id = ANY($1::bigint[])"
	pgxKeys           = "SELECT nextval(pg_get_serial_sequence('articles', 'id')) FROM generate_series(1, $1)"
)

// pgxWork is pgx, written by hand.
type pgxWork struct {
	pool  *pgxpool.Pool
	tx    pgx.Tx // of what Get reads
	write func(ctx context.Context, tx pgx.Tx, u OrmUnit) error
}

// pgxHand returns the forms that are written by hand.
func pgxHand(pool *pgxpool.Pool) []OrmSubject {
	by := func(name string, write func(ctx context.Context, tx pgx.Tx, u OrmUnit) error, loads ...string) OrmSubject {
		return OrmSubject{name, "pgx, Scan by hand", true, loads, func(context.Context) OrmWork { return &pgxWork{pool: pool, write: write} }}
	}
	return []OrmSubject{
		by("pgx, batch", writeBatch),
		by("pgx, UNNEST", writeArrays, "insert", "update"),
		by("pgx, 1,000 rows in one INSERT", writeRows, "insert 10,000"),
		by("pgx, COPY with keys ahead", writeCopy, "insert"),
	}
}

// Load gives each article memory of its own, as an object that others may hold
// needs it.
func (w *pgxWork) Load(ctx context.Context) (out []*Article, err error) {
	rows, err := w.pool.Query(ctx, articleAll)
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

func scanArticle(row pgx.Row, a *Article) error {
	return row.Scan(&a.ID, &a.Name, &a.Note, &a.Price, &a.Stock, &a.Active, &a.CreatedAt)
}

// Get implements [OrmWork].
func (w *pgxWork) Get(ctx context.Context, id int64) (_ *Article, err error) {
	if w.tx == nil {
		if w.tx, err = w.pool.Begin(ctx); err != nil {
			return nil, err
		}
	}
	a := &Article{}
	err = scanArticle(w.tx.QueryRow(ctx, articleAll+" WHERE id = $1", id), a)
	return a, err
}

// Write implements [OrmWork].
func (w *pgxWork) Write(ctx context.Context, u OrmUnit) error {
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error { return w.write(ctx, tx, u) })
}

// Close implements [OrmWork].
func (w *pgxWork) Close(ctx context.Context) error {
	if w.tx == nil {
		return nil
	}
	return w.tx.Rollback(ctx)
}

// writeBatch sends one statement for each row, all of them at once.
func writeBatch(ctx context.Context, tx pgx.Tx, u OrmUnit) error {
	batch := &pgx.Batch{}
	for _, a := range u.Changed {
		batch.Queue(pgxUpdateArticle, a.Price, a.Stock, a.ID)
	}
	for _, a := range u.Added {
		batch.Queue(pgxInsertArticle, a.Name, a.Note, a.Price, a.Stock, a.Active, a.CreatedAt)
	}
	for _, a := range u.Gone {
		batch.Queue(pgxDeleteArticle, a.ID)
	}
	results := tx.SendBatch(ctx, batch)
	defer results.Close() //nolint:errcheck // a second time, unless something has failed
	for range u.Changed {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	for _, a := range u.Added {
		if err := results.QueryRow().Scan(&a.ID); err != nil {
			return err
		}
	}
	return results.Close()
}

// columnsOf returns the columns of articles but the key, as arguments.
func columnsOf(articles []*Article) []any {
	n := len(articles)
	names, notes, prices := make([]string, n), make([]*string, n), make([]float64, n)
	stocks, actives, times := make([]int32, n), make([]bool, n), make([]time.Time, n)
	for i, a := range articles {
		names[i], notes[i], prices[i], stocks[i], actives[i], times[i] = a.Name, a.Note, a.Price, a.Stock, a.Active, a.CreatedAt
	}
	return []any{names, notes, prices, stocks, actives, times}
}

// writeArrays sends a column in each argument.
func writeArrays(ctx context.Context, tx pgx.Tx, u OrmUnit) error {
	if err := changeArrays(ctx, tx, u); err != nil || len(u.Added) == 0 {
		return err
	}
	batch := &pgx.Batch{}
	for part := range slices.Chunk(u.Added, ormBatch) { // longer arrays are slower to write
		batch.Queue(pgxInsertArticles, columnsOf(part)...)
	}
	results := tx.SendBatch(ctx, batch)
	defer results.Close() //nolint:errcheck // a second time, unless something has failed
	for part := range slices.Chunk(u.Added, ormBatch) {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		if err := readKeys(rows, part); err != nil {
			return err
		}
	}
	return results.Close()
}

// insertRows returns the text that inserts n articles.
func insertRows(n int) string {
	text, param := strings.Builder{}, 0
	text.WriteString("INSERT INTO articles (" + articleValues + ") VALUES ")
	for row := range n {
		if row > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "($%d, $%d, $%d, $%d, $%d, $%d)", param+1, param+2, param+3, param+4, param+5, param+6)
		param += 6
	}
	return text.String() + " RETURNING id"
}

var insertBatch = sync.OnceValue(func() string { return insertRows(ormBatch) })

// writeRows inserts with as many parameters as there are values.
func writeRows(ctx context.Context, tx pgx.Tx, u OrmUnit) error {
	if err := changeArrays(ctx, tx, u); err != nil {
		return err
	}
	for part := range slices.Chunk(u.Added, ormBatch) {
		text := insertBatch()
		if len(part) < ormBatch {
			text = insertRows(len(part))
		}
		args := make([]any, 0, 6*len(part))
		for _, a := range part {
			args = append(args, a.Name, a.Note, a.Price, a.Stock, a.Active, a.CreatedAt)
		}
		rows, err := tx.Query(ctx, text, args...)
		if err != nil {
			return err
		}
		if err := readKeys(rows, part); err != nil {
			return err
		}
	}
	return nil
}

// readKeys reads the keys of articles, which come in their order.
func readKeys(rows pgx.Rows, articles []*Article) error {
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		if err := rows.Scan(&articles[i].ID); err != nil {
			return err
		}
	}
	return rows.Err()
}

// writeCopy takes the keys from the sequence first.
func writeCopy(ctx context.Context, tx pgx.Tx, u OrmUnit) error {
	if err := changeArrays(ctx, tx, u); err != nil || len(u.Added) == 0 {
		return err
	}
	rows, err := tx.Query(ctx, pgxKeys, len(u.Added))
	if err != nil {
		return err
	}
	if err := readKeys(rows, u.Added); err != nil {
		return err
	}
	source := pgx.CopyFromSlice(len(u.Added), func(i int) ([]any, error) {
		a := u.Added[i]
		return []any{a.ID, a.Name, a.Note, a.Price, a.Stock, a.Active, a.CreatedAt}, nil
	})
	columns := []string{"id", "name", "note", "price", "stock", "active", "created_at"}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"articles"}, columns, source)
	return err
}

// changeArrays updates and deletes, with one statement for each.
func changeArrays(ctx context.Context, tx pgx.Tx, u OrmUnit) error {
	if n := len(u.Changed); n > 0 {
		prices, stocks, ids := make([]float64, n), make([]int32, n), make([]int64, n)
		for i, a := range u.Changed {
			prices[i], stocks[i], ids[i] = a.Price, a.Stock, a.ID
		}
		if _, err := tx.Exec(ctx, pgxUpdateArticles, prices, stocks, ids); err != nil {
			return err
		}
	}
	if len(u.Gone) == 0 {
		return nil
	}
	ids := make([]int64, len(u.Gone))
	for i, a := range u.Gone {
		ids[i] = a.ID
	}
	_, err := tx.Exec(ctx, pgxDeleteArticles, ids)
	return err
}
