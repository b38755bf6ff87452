package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/examples/sqlc/native"
)

// What is generated takes each of them.
var _, _, _ native.DBTX = (*pgxdb.Pool)(nil), (*pgxdb.PoolConn)(nil), (*pgxdb.Tx)(nil)

//go:embed schema.sql
var schema string

// lendNative creates the library and lends books by the code of pgx mode.
func lendNative(ctx context.Context, url string, chain sessionproxy.Chain, out *strings.Builder) error {
	db, err := pgxdb.NewPool(ctx, url, chain)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(ctx, schema); err != nil {
		return err
	}

	q := native.New(db) // as over a *pgxpool.Pool
	imported, err := q.ImportBooks(ctx, []native.ImportBooksParams{
		{Title: "Dune", Copies: 2}, {Title: "Emma", Copies: 1}, {Title: "Ulysses", Copies: 1},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "pgx: %d books by COPY\n", imported)

	books, err := take(ctx, db, "Ada", "Dune", "Emma")
	if err != nil {
		return err
	}
	loans, err := q.LoansOf(ctx, "Ada")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "pgx: Ada has %v\n", loans)

	if err := bring(ctx, q, "Ada", books); err != nil {
		return err
	}
	q.CopiesOf(ctx, []string{"Dune", "Emma", "Ulysses"}).QueryRow(func(i int, copies int32, e error) {
		err = errors.Join(err, e)
		fmt.Fprintf(out, "pgx: book %d has %d copies\n", i, copies)
	})
	return err
}

// take lends books to a reader in one unit of work: all of them or none. It
// returns their ids.
func take(ctx context.Context, db *pgxdb.Pool, reader string, titles ...string) (ids []int64, err error) {
	err = db.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		q := native.New(db).WithTx(tx)
		ids = nil // the unit may be performed again
		for _, title := range titles {
			book, err := q.BookByTitle(ctx, title)
			if err != nil {
				return err
			}
			taken, err := q.TakeCopy(ctx, book.ID)
			if err != nil {
				return err
			}
			if taken == 0 {
				return fmt.Errorf("no copy of %s is left", title)
			}
			if err := q.AddLoan(ctx, native.AddLoanParams{BookID: book.ID, Reader: reader}); err != nil {
				return err
			}
			ids = append(ids, book.ID)
		}
		return nil
	})
	return ids, err
}

// bring returns books in one round trip.
func bring(ctx context.Context, q *native.Queries, reader string, books []int64) (err error) {
	params := make([]native.ReturnBooksParams, len(books))
	for i, id := range books {
		params[i] = native.ReturnBooksParams{BookID: id, Reader: reader}
	}
	q.ReturnBooks(ctx, params).Exec(func(_ int, e error) { err = errors.Join(err, e) })
	return err
}
