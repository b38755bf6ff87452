package bench

import (
	"database/sql"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// openGorm opens gorm on a database.
func openGorm(db *sql.DB, driver string) *gorm.DB {
	return must(gorm.Open(gormDialect{driver}, &gorm.Config{
		ConnPool: db, Logger: logger.Discard, DisableAutomaticPing: true, SkipDefaultTransaction: true,
	}))
}

// gormDialect is what raw SQL, inserts, updates and deletes need of a dialect:
// the form of a placeholder, and the clauses that gorm's own dialects of
// PostgreSQL and SQLite name.
type gormDialect struct{ driver string }

func (d gormDialect) Name() string { return d.driver }

func (d gormDialect) Initialize(db *gorm.DB) error {
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses: []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses: []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses: []string{"DELETE", "FROM", "WHERE", "RETURNING"},
	})
	return nil
}

func (d gormDialect) BindVarTo(w clause.Writer, st *gorm.Statement, _ any) {
	text := "?"
	if d.driver == "pgx" {
		text = "$" + strconv.Itoa(len(st.Vars))
	}
	if _, err := w.WriteString(text); err != nil {
		_ = st.AddError(err)
	}
}

func (d gormDialect) QuoteTo(w clause.Writer, name string) {
	_, _ = w.WriteString(strconv.Quote(name)) //nolint:errcheck // it is a buffer
}

func (d gormDialect) Migrator(*gorm.DB) gorm.Migrator { return nil }

func (d gormDialect) DataTypeOf(*schema.Field) string { return "" }

func (d gormDialect) DefaultValueOf(*schema.Field) clause.Expression { return clause.Expr{} }

func (d gormDialect) Explain(text string, _ ...any) string { return text }
