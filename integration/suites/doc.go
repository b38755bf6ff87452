// Package suites runs other projects' own tests on top of this one: those of
// database/sql, of drivers and of libraries, of the versions that go.mod names.
//
// A suite is copied from the module cache (or GOROOT) into a temporary
// workspace, run as it is, then run again with the pipeline under every
// sql.Open, or in place of pgx's types; results are compared test by test. What
// may differ is listed in differences_test.go, each with its reason: any other
// difference fails, and so does an entry that no difference needs any more.
//
// "go test" runs a quick part of each suite. With SESSIONPROXY_VERIFY set, as
// "make verify" does, all of them run whole.
package suites
