// Package literals asks real servers what of a text is data, and holds that
// nothing of it is seen where statements are shown.
//
// Random texts are put together from what lexers stumble over, with a marker, a
// word or a number that occurs once, in each piece. A server reads the text in
// each of its modes: PostgreSQL says by pg_stat_statements which markers are
// constants to its own lexer, MariaDB by the digest of its performance schema,
// SQLite by the constants in the program that EXPLAIN shows; and all of them by
// the values that they return. None of these markers may be in a sanitised text
// or a summary, be the dialect known or not.
//
// "go test" tries some hundred texts in each mode; with SESSIONPROXY_VERIFY set,
// as "make verify" does, many thousands.
package literals
