package fault

import (
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/fault/internal/shape"
)

// mysqlCodes are the error numbers of MySQL and MariaDB. Numbers and names:
// MySQL error reference, server errors; MariaDB knowledge base, error codes
// (those marked MariaDB). Whether a statement or the transaction is rolled
// back: MySQL reference manual, "InnoDB error handling".
var mysqlCodes = map[int]rule{
	1020: {ClassSerialization, replay, BreakerExclude, contention | undone},         // ER_CHECKREAD: MariaDB, innodb_snapshot_isolation
	1205: {ClassLockTimeout, replay, BreakerExclude, contention | mayUndo | waited}, // ER_LOCK_WAIT_TIMEOUT: only the statement, but for innodb_rollback_on_timeout
	1213: {ClassDeadlock, replay, BreakerExclude, contention | undone},              // ER_LOCK_DEADLOCK; Galera's certification failure
	1412: {ClassSerialization, replay, BreakerExclude, contention},                  // ER_TABLE_DEF_CHANGED: the snapshot is older than the table
	1613: {ClassSerialization, replay, BreakerExclude, contention | undone},         // ER_XA_RBTIMEOUT
	1614: {ClassDeadlock, replay, BreakerExclude, contention | undone},              // ER_XA_RBDEADLOCK
	1689: {ClassLockTimeout, replay, BreakerExclude, contention},                    // ER_LOCK_ABORTED
	3101: {ClassSerialization, replay, BreakerExclude, contention | undone},         // ER_TRANSACTION_ROLLBACK_DURING_COMMIT: group replication
	3572: {ClassLockTimeout, stop, BreakerExclude, contention},                      // ER_LOCK_NOWAIT
	8002: {ClassSerialization, replay, BreakerExclude, contention | undone},         // TiDB, ErrForUpdateCantRetry
	8022: {ClassSerialization, replay, BreakerExclude, contention | undone},         // TiDB, ErrTxnRetryable: the commit failed and was rolled back
	8028: {ClassSerialization, replay, BreakerExclude, contention | undone},         // TiDB, ErrInfoSchemaChanged
	9007: {ClassSerialization, replay, BreakerExclude, contention | undone},         // TiDB, ErrWriteConflict
	1180: {ClassUnknown, ambiguous, BreakerFailure, mayUndo},                        // ER_ERROR_DURING_COMMIT; see mysqlDetail

	1047: {ClassServerDown, ifHarmless, BreakerFailure, discard},     // ER_UNKNOWN_COM_ERROR: Galera node is not ready
	1053: {ClassServerDown, ifHarmless, BreakerFailure, discard},     // ER_SERVER_SHUTDOWN
	1152: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // ER_ABORTING_CONNECTION
	1158: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // ER_NET_READ_ERROR
	1159: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // ER_NET_READ_INTERRUPTED
	1160: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // ER_NET_ERROR_ON_WRITE
	1161: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // ER_NET_WRITE_INTERRUPTED
	1184: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // ER_NEW_ABORTING_CONNECTION
	1927: {ClassConnectionLost, ifHarmless, BreakerExclude, discard}, // ER_CONNECTION_KILLED, MariaDB
	2006: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // CR_SERVER_GONE_ERROR
	2013: {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // CR_SERVER_LOST
	3169: {ClassConnectionLost, ifHarmless, BreakerExclude, discard}, // ER_SESSION_WAS_KILLED

	4031: {ClassConnectionLost, reconnect, BreakerExclude, discard | certain}, // ER_CLIENT_INTERACTION_TIMEOUT

	9001: {ClassServerDown, ifHarmless, BreakerFailure, mayUndo},        // TiDB, ErrPDServerTimeout; see mysqlDetail
	9002: {ClassServerDown, ifHarmless, BreakerFailure, mayUndo},        // TiDB, ErrTiKVServerTimeout
	9003: {ClassOverloaded, ifHarmless, BreakerFailure, mayUndo | slow}, // TiDB, ErrTiKVServerBusy
	9004: {ClassLockTimeout, ifHarmless, BreakerExclude, mayUndo},       // TiDB, ErrResolveLockTimeout
	9005: {ClassServerDown, ifHarmless, BreakerFailure, mayUndo},        // TiDB, ErrRegionUnavailable

	1021: {ClassOverloaded, stop, BreakerFailure, slow},            // ER_DISK_FULL
	1037: {ClassOverloaded, ifHarmless, BreakerFailure, slow},      // ER_OUTOFMEMORY: a table without transactions keeps the rows before it
	1038: {ClassOverloaded, replay, BreakerFailure, slow},          // ER_OUT_OF_SORTMEMORY
	1040: {ClassOverloaded, reconnect, BreakerFailure, slow},       // ER_CON_COUNT_ERROR
	1041: {ClassOverloaded, ifHarmless, BreakerFailure, slow},      // ER_OUT_OF_RESOURCES: likewise
	1114: {ClassOverloaded, stop, BreakerFailure, slow},            // ER_RECORD_FILE_FULL
	1203: {ClassOverloaded, reconnect, BreakerFailure, slow},       // ER_TOO_MANY_USER_CONNECTIONS
	1206: {ClassOverloaded, replay, BreakerFailure, slow | undone}, // ER_LOCK_TABLE_FULL: the whole transaction, as for a deadlock
	1226: {ClassOverloaded, reconnect, BreakerFailure, slow},       // ER_USER_LIMIT_REACHED

	1290: {ClassReadOnly, replay, BreakerExclude, discard | kept}, // ER_OPTION_PREVENTS_STATEMENT; see mysqlDetail
	1792: {ClassReadOnly, replay, BreakerExclude, discard | kept}, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
	1836: {ClassReadOnly, replay, BreakerExclude, discard | kept}, // ER_READ_ONLY_MODE
	1036: {ClassReadOnly, stop, BreakerSuccess, 0},                // ER_OPEN_AS_READONLY: one table

	1317: {ClassCanceled, stop, BreakerExclude, interrupt}, // ER_QUERY_INTERRUPTED
	1969: {ClassStatementTimeout, stop, BreakerExclude, 0}, // ER_STATEMENT_TIMEOUT, MariaDB: max_statement_time
	3024: {ClassStatementTimeout, stop, BreakerExclude, 0}, // ER_QUERY_TIMEOUT: max_execution_time

	1044: {ClassPermission, stop, BreakerFailure, login}, // ER_DBACCESS_DENIED_ERROR
	1045: {ClassAuth, stop, BreakerFailure, login},       // ER_ACCESS_DENIED_ERROR
	1049: {ClassNotFound, stop, BreakerFailure, login},   // ER_BAD_DB_ERROR
	1129: {ClassConnect, stop, BreakerFailure, login},    // ER_HOST_IS_BLOCKED
	1130: {ClassAuth, stop, BreakerFailure, login},       // ER_HOST_NOT_PRIVILEGED
	1698: {ClassAuth, stop, BreakerFailure, login},       // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
	1820: {ClassAuth, stop, BreakerFailure, login},       // ER_MUST_CHANGE_PASSWORD
	1142: {ClassPermission, stop, BreakerSuccess, 0},     // ER_TABLEACCESS_DENIED_ERROR
	1143: {ClassPermission, stop, BreakerSuccess, 0},     // ER_COLUMNACCESS_DENIED_ERROR
	1227: {ClassPermission, stop, BreakerSuccess, 0},     // ER_SPECIFIC_ACCESS_DENIED_ERROR
	1370: {ClassPermission, stop, BreakerSuccess, 0},     // ER_PROCACCESS_DENIED_ERROR

	1022: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_DUP_KEY
	1048: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_BAD_NULL_ERROR
	1062: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_DUP_ENTRY
	1169: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_DUP_UNIQUE
	1216: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_NO_REFERENCED_ROW
	1217: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_ROW_IS_REFERENCED
	1364: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_NO_DEFAULT_FOR_FIELD
	1369: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_VIEW_CHECK_FAILED
	1451: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_ROW_IS_REFERENCED_2
	1452: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_NO_REFERENCED_ROW_2
	1557: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_FOREIGN_DUPLICATE_KEY
	1586: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_DUP_ENTRY_WITH_KEY_NAME
	3819: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_CHECK_CONSTRAINT_VIOLATED
	4025: {ClassIntegrity, stop, BreakerSuccess, 0}, // ER_CONSTRAINT_FAILED, MariaDB

	1153: {ClassData, stop, BreakerSuccess, 0}, // ER_NET_PACKET_TOO_LARGE
	1172: {ClassData, stop, BreakerSuccess, 0}, // ER_TOO_MANY_ROWS
	1241: {ClassData, stop, BreakerSuccess, 0}, // ER_OPERAND_COLUMNS
	1242: {ClassData, stop, BreakerSuccess, 0}, // ER_SUBQUERY_NO_1_ROW
	1264: {ClassData, stop, BreakerSuccess, 0}, // ER_WARN_DATA_OUT_OF_RANGE
	1265: {ClassData, stop, BreakerSuccess, 0}, // WARN_DATA_TRUNCATED
	1292: {ClassData, stop, BreakerSuccess, 0}, // ER_TRUNCATED_WRONG_VALUE
	1365: {ClassData, stop, BreakerSuccess, 0}, // ER_DIVISION_BY_ZERO
	1366: {ClassData, stop, BreakerSuccess, 0}, // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
	1406: {ClassData, stop, BreakerSuccess, 0}, // ER_DATA_TOO_LONG
	1411: {ClassData, stop, BreakerSuccess, 0}, // ER_WRONG_VALUE_FOR_TYPE
	1526: {ClassData, stop, BreakerSuccess, 0}, // ER_NO_PARTITION_FOR_GIVEN_VALUE
	1690: {ClassData, stop, BreakerSuccess, 0}, // ER_DATA_OUT_OF_RANGE
	3140: {ClassData, stop, BreakerSuccess, 0}, // ER_INVALID_JSON_TEXT

	1050: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_TABLE_EXISTS_ERROR
	1052: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_NON_UNIQ_ERROR
	1060: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_DUP_FIELDNAME
	1061: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_DUP_KEYNAME
	1064: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_PARSE_ERROR
	1065: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_EMPTY_QUERY
	1136: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_WRONG_VALUE_COUNT_ON_ROW
	1149: {ClassSyntax, stop, BreakerSuccess, 0}, // ER_SYNTAX_ERROR

	1051: {ClassNotFound, stop, BreakerSuccess, 0}, // ER_BAD_TABLE_ERROR
	1054: {ClassNotFound, stop, BreakerSuccess, 0}, // ER_BAD_FIELD_ERROR
	1091: {ClassNotFound, stop, BreakerSuccess, 0}, // ER_CANT_DROP_FIELD_OR_KEY
	1109: {ClassNotFound, stop, BreakerSuccess, 0}, // ER_UNKNOWN_TABLE
	1146: {ClassNotFound, stop, BreakerSuccess, 0}, // ER_NO_SUCH_TABLE
	1305: {ClassNotFound, stop, BreakerSuccess, 0}, // ER_SP_DOES_NOT_EXIST: a routine or a savepoint

	1643: {ClassUnknown, stop, BreakerSuccess, 0}, // ER_SIGNAL_NOT_FOUND
	1644: {ClassUnknown, stop, BreakerSuccess, 0}, // ER_SIGNAL_EXCEPTION: whatever SQLSTATE the SIGNAL names

	1046: {ClassState, stop, BreakerSuccess, 0},       // ER_NO_DB_ERROR
	1235: {ClassUnsupported, stop, BreakerSuccess, 0}, // ER_NOT_SUPPORTED_YET
	1243: {ClassState, stop, BreakerSuccess, 0},       // ER_UNKNOWN_STMT_HANDLER
	1295: {ClassUnsupported, stop, BreakerSuccess, 0}, // ER_UNSUPPORTED_PS
	1568: {ClassState, stop, BreakerSuccess, 0},       // ER_CANT_CHANGE_TX_CHARACTERISTICS
	1615: {ClassState, again, BreakerSuccess, 0},      // ER_NEED_REPREPARE
}

// mysqlCode returns the rule and the code of a MySQLError.
func mysqlCode(err error, s *shape.Shape) (rule, string, bool) {
	number := shape.Integer(err, s.Number)
	if number == 0 {
		return rule{}, "", false
	}
	r, ok := mysqlCodes[number]
	if !ok {
		r = mysqlUnlisted(err, s)
	}
	r = mysqlDetail(r, number, shape.Text(err, s.Message))
	switch r.class {
	case ClassIntegrity, ClassDeadlock, ClassSerialization, ClassLockTimeout, ClassReadOnly:
		if number == 8028 || r.action == ifHarmless {
			break // it is not documented of a COMMIT
		}
		// The server refuses the COMMIT and rolls back before it answers so.
		// What else it may say to a COMMIT leaves the outcome in doubt.
		r = r.with(notCommitted)
	}
	return r, strconv.Itoa(number), true
}

// mysqlUnlisted returns the rule of a number that is not in the table. Whether
// the server rolled back the transaction is told by the SQLSTATE: class 40 of the
// standard, and XA1 (XA_RB…) of the X/Open specification.
func mysqlUnlisted(err error, s *shape.Shape) rule {
	r := rule{ClassUnknown, stop, BreakerSuccess, 0}
	if state := shape.Bytes(err, s.State); strings.HasPrefix(state, "40") || strings.HasPrefix(state, "XA1") {
		r = r.with(undone)
	}
	return r
}

// mysqlDetail tells apart what shares a number.
func mysqlDetail(r rule, number int, message string) rule {
	switch number {
	case 1180: // the handler's own error stands in the text
		text := strings.ToLower(message)
		if strings.Contains(text, "deadlock") || strings.Contains(text, "certification") {
			return mysqlCodes[3101]
		}
	case 1047: // Galera refuses a statement before it runs it: sql_parse.cc
		if strings.HasPrefix(message, "WSREP has not yet prepared node") {
			r.action = replay
		}
	case 1105: // Vitess, vtgate: other shards may have done their part
		if strings.Contains(message, "primary is not serving, there") || strings.Contains(message, "current keyspace is being resharded") {
			return rule{ClassServerDown, ifHarmless, BreakerFailure, mayUndo}
		}
	case 9001, 9002: // ProxySQL had no connection to a server for it
		if strings.HasPrefix(message, "Max connect timeout reached while reaching hostgroup") || strings.HasPrefix(message, "Max connect failure while reaching hostgroup") {
			return rule{ClassConnect, reconnect, BreakerFailure, certain}
		}
	case 1290: // the text names the option: --read-only, --super-read-only, or one of many others
		if !strings.Contains(message, "read-only") && !strings.Contains(message, "read_only") {
			return rule{ClassUnsupported, stop, BreakerSuccess, 0}
		}
	}
	return r
}
