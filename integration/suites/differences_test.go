package suites_test

import "strings"

// difference is a test that is meant to end otherwise on us.
type difference struct {
	suite  string
	chain  string // empty: on every chain
	test   string
	reason string
}

const (
	unseen    = "it looks for the value of a setting in an error, which may be a part of a password with blanks, and is not shown"
	early     = "SendBatch reads the first result before it returns, so that a retry can see its error"
	replanned = "a retry repeats a statement whose cached plan does not fit any more, which the test wants to fail"
)

// meant are the differences that are meant.
var meant = []difference{
	{"database/sql", "", "TestOpenConnector", "it looks for the type of its connector in a *sql.DB, which has ours"},
	{"database/sql", "", "TestRowsCloseError", "it looks into the rows of its driver, which have sqlmw's around them"},
	{"database/sql", "", "TestRowsImplicitClose", "it looks into the rows of its driver, which have sqlmw's around them"},
	{"database/sql", "", "TestErrBadConnReconnect", "ErrBadConn from a driver that is not known to be exact is not believed after a statement was handed to it"},
	{"database/sql", "", "TestTxEndBadConn", "ErrBadConn from COMMIT is never believed: its outcome is unknown"},
	{"database/sql", "kit", "TestDriverPanic", "recovery makes an error of a panic"},
	{"database/sql", "kit", "TestBadDriver", "recovery makes an error of a panic"},
	{"lib/pq", "", "TestUnexpectedEOF", "it wants ErrBadConn after a query was sent, which database/sql would send again"},
	{"lib/pq", "", "TestProtocolVersion", unseen},
	{"lib/pq", "", "TestRuntimeParameters", unseen},
	{"pgxpool", "", "TestConnectConfigRequiresConnConfigFromParseConfig", "a configuration that was not parsed is an error, not a panic"},
	{"pgxpool", "kit", "TestTraceAcquire", "a retry does not begin a call whose context is over, so pgx's tracer does not see it"},
	{"pgx", "one link", "TestTraceBatchQueryReadStartTime", early},
	{"pgx", "kit", "TestTraceBatchQueryReadStartTime", early},
	{"pgx", "one link", "TestTraceBatchQueryTracesPipelineGetResultsError", early},
	{"pgx", "kit", "TestTraceBatchQueryTracesPipelineGetResultsError", early},
	{"pgx", "kit", "TestStmtCacheInvalidationConn", replanned},
	{"pgx", "kit", "TestStmtCacheInvalidationConnWithBatch", replanned},
}

// find returns the entry for a test, or for one above it.
func find(suite, chain, test string) (int, bool) {
	for i, d := range meant {
		if d.suite == suite && (d.chain == "" || d.chain == chain) && (test == d.test || strings.HasPrefix(test, d.test+"/")) {
			return i, true
		}
	}
	return 0, false
}

// countMeant is how many tests are meant to differ on a chain.
func countMeant(suite, chain string) (n int) {
	for _, d := range meant {
		if d.suite == suite && (d.chain == "" || d.chain == chain) {
			n++
		}
	}
	return n
}
