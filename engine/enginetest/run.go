package enginetest

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

// Database is the database that the contract runs on.
type Database struct {
	// URL returns the URL of an empty database that only this test uses.
	URL func(t testing.TB) string
	// Options are passed to every [engine.Open]; a chain, for instance.
	Options []engine.Option
	// SingleConn declares that the database has a single connection, whatever
	// the pool's size.
	SingleConn bool
}

// contract holds the tests, each of which gets a database of its own.
var contract = []func(t *testing.T, f *fixture){
	testFetch, testFirstAndOne, testScalars, testMappings, testColumns, testPartitions, testUnique, testFreeze, testIter,
	testNoRows, testAffected, testGeneratedKey,
	testAutobegin, testBeginTwice, testCloseRollsBack, testUseAfterEnd, testSavepoints, testOuterEndsInner,
	testReadOnly, testIsolation, testAutocommit, testBeginOutlivesContext, testCloseWithDeadContext, testFailedStatement,
	testInterruptedStatement, testEngineBegin,
	testUnitCommits, testUnitRollsBack, testUnitSurvivesPanic, testUnitSurvivesGoexit, testUnitJoins, testUnitIsDoomed,
	testUnitRefusesOtherOptions, testUnitNests, testUnitIsManaged, testUnitIsReplayed,
	testParameters, testLists, testExecuteMany, testExecuteBatch, testBatchOfAll, testBatchFails, testLargeBatch, testManyRowsBack,
	testStream, testStreamStopsEarly, testStreamHoldsConn, testStreamInTransaction, testStreamCancelled, testCursorOfEndedTx,
	testPoolTimeout, testPoolOverflow, testDispose, testDisposeWhileBusy, testDisposeUnderLoad, testInvalidate, testLazyConnect, testPrePing,
	testUniqueKey, testNotNull, testForeignKey, testCheck, testSyntax, testMissingTable, testDataError, testCancelled,
	testIntegers, testFloats, testDecimals, testTexts, testBytes, testBools, testTimes, testDates, testJSON, testUUID, testNulls,
	testTypedAll, testTypedOne, testTypedScalar, testTypedViews, testEach, testStructArguments, testTypedTimes,
	testOneCallPerStatement, testRefusal, testRaw, testScanErrors, testPanickingScanner,
}

// Run runs the contract on a database.
func Run(t *testing.T, d Database) {
	t.Helper()
	for _, test := range contract {
		name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
		t.Run(name[strings.LastIndex(name, ".test")+len(".test"):], func(t *testing.T) {
			t.Parallel()
			f := &fixture{T: t, db: d, url: d.URL(t)}
			f.Engine = f.open()
			f.types = typesOf(f.Engine.Dialect().System)
			test(t, f)
		})
	}
}

// fixture is a test's database and what it needs to use it.
type fixture struct {
	*testing.T
	*engine.Engine
	db    Database
	url   string
	types types

	stored int // tables that store has made
}

// open opens the test's database once more.
func (f *fixture) open(opts ...engine.Option) *engine.Engine {
	f.Helper()
	e, err := engine.Open(f.Context(), f.url, append(append([]engine.Option(nil), f.db.Options...), opts...)...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := e.Dispose(); err != nil {
			f.Error(err)
		}
	})
	return e
}

// exec runs a statement that has to succeed.
func (f *fixture) exec(ex engine.Executor, text string, args ...any) *engine.Result {
	f.Helper()
	res, err := ex.Execute(context.WithoutCancel(f.Context()), engine.Text(text, args...))
	if err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	return res
}

// items creates the table item with n rows: id from 1, name "item <id>",
// and qty, which is NULL for every third.
func (f *fixture) items(n int) {
	f.Helper()
	f.exec(f.Engine, "CREATE TABLE item (id "+f.types.autoKey+", name VARCHAR(100) NOT NULL UNIQUE, qty INTEGER)")
	sets := make([][]any, n)
	for i := range sets {
		sets[i] = []any{"item " + itoa(i+1), i + 1}
		if (i+1)%3 == 0 {
			sets[i][1] = nil
		}
	}
	if n == 0 {
		return
	}
	if _, err := f.ExecuteMany(f.Context(), engine.Text("INSERT INTO item (name, qty) VALUES (?, ?)"), sets...); err != nil {
		f.Fatal(err)
	}
}

// count returns how many items ex sees.
func (f *fixture) count(ex engine.Executor) int64 {
	f.Helper()
	n, err := f.exec(ex, "SELECT count(*) FROM item").ScalarOne()
	if err != nil {
		f.Fatal(err)
	}
	return n.(int64)
}

// want fails the test unless got equals want.
func want[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %#v, want %#v", what, got, want)
	}
}

// must ends the test on an error.
func must[T any](t testing.TB) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
