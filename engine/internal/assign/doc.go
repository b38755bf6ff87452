// Package assign copies what a database/sql driver gives into a variable of
// the caller's, as database/sql does for rows, but for values that are in
// memory.
package assign
