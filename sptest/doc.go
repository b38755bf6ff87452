// Package sptest is a test kit for programs that use the pipeline: it makes a
// database fail on purpose, as the driver's own error values and with all that
// follows from them, so that you know what your policy does before an outage shows
// it. It is for tests: nothing of this module that runs in production imports it.
//
// [EveryFault] proves a unit of work. It runs the unit once for every call that it
// makes and every fault that can strike there, each time on a fresh database, and
// compares what is in the database with the error that the caller got:
//
//	sptest.EveryFault(t, sqlitefaults.New(t).Faults(),
//		func(t testing.TB, faults *sptest.Faults) *sqldb.DB { … },             // open a fresh database
//		func(ctx context.Context, db *sqldb.DB) error { … },                    // the unit
//		func(ctx context.Context, db *sqldb.DB) (done int, err error) { … })    // how often it is done
//
// [Faults] is the innermost interceptor of a chain and makes single faults, by rules
// or by hand. [Recorder] keeps the calls as they ended, and bounds how many a
// request may make.
//
// The error values of each driver are in a package of their own (sqlitefaults,
// pgxfaults, pqfaults, mysqlfaults), so that you import only the driver you use.
// docs/testing.md is the guide.
package sptest
