package fault

import (
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/fault/internal/shape"
)

// sqliteCodes are the result codes of SQLite: primary ones, and extended ones
// that differ. Source: sqlite.org/rescode.html; what a failed statement does
// to its transaction: sqlite.org/lang_transaction.html, lang_conflict.html, and
// sqlite3VdbeHalt in vdbeaux.c, where BUSY does not end a transaction.
var sqliteCodes = map[int]rule{
	1:   {ClassSyntax, stop, BreakerSuccess, 0},                                 // SQLITE_ERROR
	2:   {ClassUnknown, stop, BreakerFailure, 0},                                // SQLITE_INTERNAL
	3:   {ClassPermission, stop, BreakerFailure, 0},                             // SQLITE_PERM
	4:   {ClassCanceled, stop, BreakerSuccess, 0},                               // SQLITE_ABORT
	516: {ClassState, stop, BreakerSuccess, undone},                             // SQLITE_ABORT_ROLLBACK
	5:   {ClassLockTimeout, replay, BreakerExclude, contention | waited},        // SQLITE_BUSY
	261: {ClassLockTimeout, replay, BreakerExclude, contention | waited},        // SQLITE_BUSY_RECOVERY
	517: {ClassSerialization, replay, BreakerExclude, contention},               // SQLITE_BUSY_SNAPSHOT
	773: {ClassLockTimeout, replay, BreakerExclude, contention | waited},        // SQLITE_BUSY_TIMEOUT
	6:   {ClassLockTimeout, replay, BreakerExclude, contention},                 // SQLITE_LOCKED, and its SHAREDCACHE, VTAB
	7:   {ClassOverloaded, stop, BreakerFailure, slow | mayUndo},                // SQLITE_NOMEM
	8:   {ClassReadOnly, stop, BreakerFailure, notCommitted},                    // SQLITE_READONLY
	9:   {ClassCanceled, stop, BreakerExclude, interrupt | mayUndo},             // SQLITE_INTERRUPT
	10:  {ClassUnknown, stop, BreakerFailure, mayUndo},                          // SQLITE_IOERR
	11:  {ClassUnknown, stop, BreakerFailure, 0},                                // SQLITE_CORRUPT
	12:  {ClassUnsupported, stop, BreakerSuccess, 0},                            // SQLITE_NOTFOUND
	13:  {ClassOverloaded, stop, BreakerFailure, slow | notCommitted | mayUndo}, // SQLITE_FULL
	14:  {ClassConnect, stop, BreakerFailure, 0},                                // SQLITE_CANTOPEN
	15:  {ClassLockTimeout, again, BreakerSuccess, contention},                  // SQLITE_PROTOCOL: a race for the WAL's lock
	17:  {ClassState, again, BreakerSuccess, 0},                                 // SQLITE_SCHEMA
	18:  {ClassData, stop, BreakerSuccess, 0},                                   // SQLITE_TOOBIG
	19:  {ClassIntegrity, stop, BreakerSuccess, notCommitted | mayUndo},         // SQLITE_CONSTRAINT: ON CONFLICT ROLLBACK, RAISE(ROLLBACK)
	20:  {ClassData, stop, BreakerSuccess, 0},                                   // SQLITE_MISMATCH
	21:  {ClassState, stop, BreakerSuccess, 0},                                  // SQLITE_MISUSE
	22:  {ClassUnsupported, stop, BreakerFailure, 0},                            // SQLITE_NOLFS
	23:  {ClassPermission, stop, BreakerSuccess, 0},                             // SQLITE_AUTH
	25:  {ClassData, stop, BreakerSuccess, 0},                                   // SQLITE_RANGE
	26:  {ClassUnknown, stop, BreakerFailure, 0},                                // SQLITE_NOTADB
}

// sqliteCode returns the rule and the code of an error of SQLite.
func sqliteCode(err error, s *shape.Shape) (rule, string, bool) {
	code := sqliteNumber(err, s)
	if code == 0 {
		return rule{}, "", false
	}
	r, ok := sqliteCodes[code]
	if !ok {
		r, ok = sqliteCodes[code&0xff]
	}
	if !ok {
		r = rule{ClassUnknown, stop, BreakerSuccess, 0}
	}
	if r.action == again || r.action == replay {
		// SQLite leaves the transaction open; the drivers roll back when
		// COMMIT fails.
		r = r.with(notCommitted)
	}
	if code == 1 && strings.Contains(err.Error(), "no such ") {
		r.class = ClassNotFound
	}
	return r, strconv.Itoa(code), true
}

// sqliteNumber returns the extended result code, or the primary one where the
// driver gives no other; 0 if it gives none.
func sqliteNumber(err error, s *shape.Shape) int {
	if e, ok := err.(interface{ Code() int }); ok { // modernc.org/sqlite
		return e.Code()
	}
	if extended := shape.Integer(err, s.Extended); extended != 0 { // mattn/go-sqlite3
		return extended
	}
	return shape.Integer(err, s.Number)
}
