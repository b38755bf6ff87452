package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/examples/sqlc/standard"
)

// lendStandard lends a book by the code of database/sql mode.
func lendStandard(ctx context.Context, url string, chain sessionproxy.Chain, out *strings.Builder) error {
	pool, err := sqldb.Open("pgx", url, chain)
	if err != nil {
		return err
	}
	defer pool.Close()
	db, err := sqldb.Wrap(pool)
	if err != nil {
		return err
	}
	if err := borrow(ctx, db, "Grace", "Dune"); err != nil {
		return err
	}
	// Generated code runs on the handle and on the *sql.DB alike.
	for _, level := range []standard.DBTX{db, pool} {
		loans, err := standard.New(level).LoansOf(ctx, "Grace")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "database/sql: Grace has %v\n", loans)
	}
	return nil
}

// borrow lends a book to a reader, in a unit of work.
func borrow(ctx context.Context, db *sqldb.DB, reader, title string) error {
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error {
		q := standard.New(db).WithTx(tx)
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
		return q.AddLoan(ctx, standard.AddLoanParams{BookID: book.ID, Reader: reader})
	})
}
