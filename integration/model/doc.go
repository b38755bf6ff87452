// Package model looks for a repetition that changes what happens.
//
// A sequence of random statements, in random states of a connection, meets
// random faults on a scripted server, which keeps account of what was committed.
// It runs twice: once with a retry, and once with a chain that never repeats and
// without those faults that the retry got past. A caller must not be able to
// tell the two apart, by results or by what is committed in the end; and nothing
// that is not marked idempotent may be committed twice.
//
// The account of the server ([world]) knows nothing of the library: what a text
// does is written beside it in the catalogue.
//
// "go test" runs 2,000 sequences; with SESSIONPROXY_VERIFY set, as "make verify"
// does, 100,000.
package model
