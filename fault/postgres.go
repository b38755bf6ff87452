package fault

import "github.com/sessionproxy/sessionproxy/fault/internal/shape"

import "strings"

// postgresCodes are the SQLSTATEs that differ from the rest of their class.
// Codes and conditions: PostgreSQL documentation, appendix A; CR000 and 40003:
// CockroachDB's documentation of transaction retry errors.
var postgresCodes = map[string]rule{
	"08000": {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // connection_exception
	"08001": {ClassConnect, reconnect, BreakerFailure, discard},         // sqlclient_unable_to_establish_sqlconnection
	"08003": {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // connection_does_not_exist
	"08004": {ClassConnect, reconnect, BreakerFailure, discard},         // sqlserver_rejected_establishment_of_sqlconnection
	"08006": {ClassConnectionLost, ifHarmless, BreakerFailure, discard}, // connection_failure
	"08007": {ClassConnectionLost, ambiguous, BreakerFailure, discard},  // transaction_resolution_unknown
	"08P01": {ClassConnectionLost, stop, BreakerFailure, discard},       // protocol_violation; PgBouncer's refusals

	"25006": {ClassReadOnly, replay, BreakerExclude, discard},                            // read_only_sql_transaction
	"25P02": {ClassState, stop, BreakerExclude, 0},                                       // in_failed_sql_transaction
	"25P03": {ClassStatementTimeout, replay, BreakerExclude, discard | certain | undone}, // idle_in_transaction_session_timeout
	"25P04": {ClassStatementTimeout, replay, BreakerExclude, discard | certain | undone}, // transaction_timeout
	"26000": {ClassState, again, BreakerSuccess, 0},                                      // invalid_sql_statement_name: prepared elsewhere (PgBouncer)
	"42P05": {ClassState, again, BreakerSuccess, 0},                                      // duplicate_prepared_statement
	"40001": {ClassSerialization, replay, BreakerExclude, contention | undone},           // serialization_failure
	"40002": {ClassIntegrity, stop, BreakerSuccess, undone},                              // transaction_integrity_constraint_violation
	"40003": {ClassUnknown, ambiguous, BreakerFailure, 0},                                // statement_completion_unknown
	"40P01": {ClassDeadlock, replay, BreakerExclude, contention | undone},                // deadlock_detected
	"CR000": {ClassSerialization, replay, BreakerExclude, contention | undone},           // retry transaction, old CockroachDB
	"42501": {ClassPermission, stop, BreakerSuccess, 0},                                  // insufficient_privilege
	"42P01": {ClassNotFound, stop, BreakerSuccess, 0},                                    // undefined_table
	"42703": {ClassNotFound, stop, BreakerSuccess, 0},                                    // undefined_column
	"42704": {ClassNotFound, stop, BreakerSuccess, 0},                                    // undefined_object
	"42883": {ClassNotFound, stop, BreakerSuccess, 0},                                    // undefined_function
	"53000": {ClassOverloaded, replay, BreakerFailure, slow},                             // insufficient_resources
	"53200": {ClassOverloaded, replay, BreakerFailure, slow},                             // out_of_memory
	"53300": {ClassOverloaded, reconnect, BreakerFailure, slow | certain},                // too_many_connections
	"53400": {ClassOverloaded, stop, BreakerSuccess, slow},                               // configuration_limit_exceeded
	"55006": {ClassState, stop, BreakerExclude, 0},                                       // object_in_use
	"55P03": {ClassLockTimeout, stop, BreakerExclude, contention | undone},               // lock_not_available
	"57014": {ClassStatementTimeout, stop, BreakerExclude, interrupt | undone},           // query_canceled
	"57P01": {ClassServerDown, ifHarmless, BreakerFailure, discard},                      // admin_shutdown
	"57P02": {ClassServerDown, ifHarmless, BreakerFailure, discard},                      // crash_shutdown
	"57P03": {ClassServerDown, reconnect, BreakerFailure, discard | certain},             // cannot_connect_now
	"57P04": {ClassNotFound, stop, BreakerFailure, discard},                              // database_dropped
	"57P05": {ClassConnectionLost, reconnect, BreakerExclude, discard | certain},         // idle_session_timeout
	"58030": {ClassUnknown, stop, BreakerFailure, 0},                                     // io_error
	"P0001": {ClassUnknown, stop, BreakerSuccess, 0},                                     // raise_exception
	"P0002": {ClassNotFound, stop, BreakerSuccess, 0},                                    // no_data_found
	"P0003": {ClassData, stop, BreakerSuccess, 0},                                        // too_many_rows
}

// postgresClasses are the rules for the rest of each class, by its two
// characters.
var postgresClasses = map[string]rule{
	"02": {ClassNotFound, stop, BreakerSuccess, 0},                          // no data
	"03": {ClassState, stop, BreakerSuccess, 0},                             // SQL statement not yet complete
	"08": {ClassConnectionLost, ifHarmless, BreakerFailure, discard},        // connection exception
	"0A": {ClassUnsupported, stop, BreakerSuccess, 0},                       // feature not supported
	"0L": {ClassPermission, stop, BreakerSuccess, 0},                        // invalid grantor
	"0P": {ClassPermission, stop, BreakerSuccess, 0},                        // invalid role specification
	"21": {ClassData, stop, BreakerSuccess, 0},                              // cardinality violation
	"22": {ClassData, stop, BreakerSuccess, 0},                              // data exception
	"23": {ClassIntegrity, stop, BreakerSuccess, 0},                         // integrity constraint violation
	"24": {ClassState, stop, BreakerSuccess, 0},                             // invalid cursor state
	"25": {ClassState, stop, BreakerSuccess, 0},                             // invalid transaction state
	"26": {ClassState, stop, BreakerSuccess, 0},                             // invalid SQL statement name
	"27": {ClassState, stop, BreakerSuccess, 0},                             // triggered data change violation
	"28": {ClassAuth, stop, BreakerFailure, login},                          // invalid authorization specification
	"2B": {ClassState, stop, BreakerSuccess, 0},                             // dependent privilege descriptors still exist
	"2D": {ClassState, stop, BreakerSuccess, 0},                             // invalid transaction termination
	"34": {ClassState, stop, BreakerSuccess, 0},                             // invalid cursor name
	"3B": {ClassState, stop, BreakerSuccess, 0},                             // savepoint exception
	"3D": {ClassNotFound, stop, BreakerFailure, login},                      // invalid catalog name
	"3F": {ClassNotFound, stop, BreakerSuccess, 0},                          // invalid schema name
	"40": {ClassSerialization, replay, BreakerSuccess, contention | undone}, // transaction rollback
	"42": {ClassSyntax, stop, BreakerSuccess, 0},                            // syntax error or access rule violation
	"44": {ClassIntegrity, stop, BreakerSuccess, 0},                         // WITH CHECK OPTION violation
	"53": {ClassOverloaded, stop, BreakerFailure, slow},                     // insufficient resources
	"54": {ClassData, stop, BreakerSuccess, 0},                              // program limit exceeded
	"55": {ClassState, stop, BreakerSuccess, 0},                             // object not in prerequisite state
	"57": {ClassServerDown, stop, BreakerFailure, 0},                        // operator intervention
	"58": {ClassUnknown, stop, BreakerFailure, 0},                           // system error
	"F0": {ClassUnknown, stop, BreakerFailure, 0},                           // configuration file error
	"XX": {ClassUnknown, stop, BreakerFailure, 0},                           // internal error
}

// sqlState returns err's SQLSTATE, if it has one.
func sqlState(err error) (string, bool) {
	state := ""
	switch e := err.(type) {
	case interface{ SQLState() string }:
		state = e.SQLState()
	case shape.Fielded:
		state = e.Field('C')
	}
	if len(state) != 5 {
		return "", false
	}
	for _, c := range []byte(state) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return "", false
		}
	}
	return state, true
}

// postgresRule returns the rule for a SQLSTATE that came in err.
func postgresRule(state string, err error, s *shape.Shape) rule {
	r, ok := postgresCodes[state]
	if !ok {
		r, ok = postgresClasses[state[:2]]
	}
	if !ok {
		r = rule{ClassUnknown, stop, BreakerSuccess, 0}
	}
	r = postgresDetail(r, state, err, s)
	severity := shape.Letter(err, s.Severity, 'V')
	if severity == "FATAL" || severity == "PANIC" {
		return r.ending()
	}
	switch r.action {
	case stop, again, replay, reconnect:
		// ERROR aborts the transaction: PostgreSQL documentation, protocol
		// flow; as the answer to COMMIT it means ROLLBACK.
		r = r.with(notCommitted | fails | kept)
	}
	switch r.action {
	case again, replay:
		r = r.with(undone)
	case reconnect: // told by a function or a foreign table, of another server
		r = r.with(undone).without(certain)
	}
	return r
}

// ending returns the rule for an error with which the server ended the
// session: its word for what became of the work holds only if it says it when
// nothing runs.
func (r rule) ending() rule {
	r = r.with(discard)
	if r.has(certain) {
		if r.action == replay {
			r = r.with(notCommitted)
		}
		return r
	}
	if r.action == again || r.action == replay {
		r.action = ifHarmless
	}
	return r.without(undone | contention)
}

// postgresDetail tells apart what shares a code.
func postgresDetail(r rule, state string, err error, s *shape.Shape) rule {
	switch state {
	case "08P01": // protocol_violation
		// Of arguments whose number pgx does not know (QueryExecModeExec, lib/pq's
		// binary_parameters). CockroachDB has no such routine.
		if shape.Letter(err, s.Routine, 'R') == "exec_bind_message" || refusedArguments(shape.Letter(err, s.Message, 'M')) {
			return rule{ClassData, stop, BreakerSuccess, 0}
		}
	case "0A000": // feature_not_supported
		// A cached plan's result changed: the statement has to be prepared
		// again. The routine's name is not translated, the message is.
		if shape.Letter(err, s.Routine, 'R') == "RevalidateCachedQuery" ||
			strings.Contains(shape.Letter(err, s.Message, 'M'), "cached plan") {
			return rule{ClassState, again, BreakerSuccess, 0}
		}
	case "57014": // query_canceled
		if shape.Text(err, s.Routine) == "CopyGetData" || strings.HasPrefix(shape.Letter(err, s.Message, 'M'), "COPY from stdin failed: ") {
			// The client has ended its COPY: its source failed, or a value can't
			// be sent.
			return rule{ClassData, stop, BreakerSuccess, interrupt | undone}
		}
		if strings.Contains(shape.Letter(err, s.Message, 'M'), "user request") {
			r.class = ClassCanceled
		}
	}
	return r
}
