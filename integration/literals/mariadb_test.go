package literals_test

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// TestMariaDB has MariaDB judge in each mode of its lexer.
func TestMariaDB(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindMariaDB, dbtest.Config("performance-schema", "ON"),
		dbtest.Config("performance-schema-consumer-events-statements-current", "ON"),
		dbtest.Config("performance-schema-consumer-events-statements-history", "ON"))
	first := seed(t)
	for name, settings := range map[string]string{
		"as it is":                      "",
		"ANSI_QUOTES":                   "SET sql_mode = 'ANSI_QUOTES'",
		"NO_BACKSLASH_ESCAPES":          "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
		"both":                          "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
		"ANSI":                          "SET sql_mode = 'ANSI'",
		"ORACLE":                        "SET sql_mode = 'ORACLE'",
		"MSSQL":                         "SET sql_mode = 'MSSQL'",
		"PIPES_AS_CONCAT, IGNORE_SPACE": "SET sql_mode = 'PIPES_AS_CONCAT,IGNORE_SPACE'",
		"latin1":                        "SET NAMES latin1",
		"gbk":                           "SET NAMES gbk",
		"sjis":                          "SET NAMES sjis",
		"big5, NO_BACKSLASH_ESCAPES":    "SET NAMES big5; SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
		"binary, ANSI_QUOTES":           "SET NAMES binary; SET sql_mode = 'ANSI_QUOTES'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := server.Admin()
			admin.Name = server.Database(t).Name
			db, err := sql.Open("mysql", admin.DSN("multiStatements=true", "interpolateParams=true"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			j := mariadbJudge{db: db}
			for _, text := range []string{"CREATE TABLE t (a varchar(100), b varchar(100)) ENGINE=InnoDB", settings} {
				if _, err := db.ExecContext(t.Context(), text); text != "" && err != nil {
					t.Fatal(err)
				}
			}
			hold(t, j, sqltext.MySQL, inMySQL, first+uint64(len(name)))
		})
	}
}

type mariadbJudge struct{ db *sql.DB }

// What the performance schema knows of the statements of this connection.
const (
	history  = " FROM performance_schema.events_statements_history WHERE thread_id = (SELECT thread_id FROM performance_schema.threads WHERE processlist_id = CONNECTION_ID())"
	lastSeen = "SELECT COALESCE(MAX(event_id), 0)" + history
	digests  = "SELECT digest_text" + history + " AND event_id > ?"
)

// Comments for a version, and those of which this server executes.
var (
	versioned = regexp.MustCompile(`/\*M?!\d`)
	executed  = regexp.MustCompile(`/\*M?!(50000|40101|100000)`)
)

// data implements [judge].
func (j mariadbJudge) data(ctx context.Context, text string, markers []string) ([]string, bool, error) {
	var last int64
	if err := j.db.QueryRowContext(ctx, lastSeen).Scan(&last); err != nil {
		return nil, false, err
	}
	values, err := rowsOf(ctx, j.db, text)
	var refused *mysql.MySQLError
	if err != nil && !errors.As(err, &refused) {
		return nil, false, err
	}
	rows, err := j.db.QueryContext(ctx, digests, last)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	normal, n, understood := "", 0, true
	for ; rows.Next(); n++ {
		var digest sql.NullString
		if err := rows.Scan(&digest); err != nil {
			return nil, false, err
		}
		normal += digest.String
		understood = understood && digest.Valid
	}
	if err := rows.Err(); err != nil || !understood || n < 2 { // lastSeen itself is one
		return nil, false, err
	}
	// What a comment for another version holds is in no digest, nor what comes
	// after a name that is too long, and the last of several statements comes into
	// the history too late.
	valuesOnly := strings.Contains(text, ";") || strings.Contains(normal, " ...") || versioned.MatchString(executed.ReplaceAllString(text, ""))
	var out []string
	for _, m := range markers {
		if !valuesOnly && !strings.Contains(normal, m) || anyShows(values, m) {
			out = append(out, m)
		}
	}
	return out, true, nil
}

// rowsOf returns all values that a text returns.
func rowsOf(ctx context.Context, db *sql.DB, text string) ([]string, error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []string
	for more := true; more; more = rows.NextResultSet() {
		columns, err := rows.Columns()
		if err != nil {
			return values, err
		}
		row := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return values, err
			}
			for _, v := range row {
				values = append(values, string(v))
			}
		}
	}
	return values, rows.Err()
}
