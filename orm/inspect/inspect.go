// Package inspect describes the state of a session's objects: see
// orm.Session.Inspect.
package inspect

// Status is the state of an object in its session, as SQLAlchemy names them.
type Status uint8

const (
	// Transient is an object that is in no session and has no key.
	Transient Status = iota
	// Pending is an object that the next flush inserts.
	Pending
	// Persistent is an object that has a row.
	Persistent
	// Deleted is an object whose row was deleted by a flush in the transaction
	// that is open.
	Deleted
	// Detached is an object that has a key and is not in the session: one that
	// was expunged, whose deletion was committed, or that never was in it. A
	// session does not remember which.
	Detached
)

var statuses = [...]string{Transient: "transient", Pending: "pending", Persistent: "persistent", Deleted: "deleted", Detached: "detached"}

// String returns the name of the status in lower case.
func (s Status) String() string {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return "invalid"
}

// State describes an object of a session.
type State struct {
	// Status is the object's state.
	Status Status
	// Key is the primary key of its row, in the order of the fields; nil if it
	// has none yet. If the key was changed, it is the one before the change.
	Key []any
	// Expired says that the object is read again when it is next requested.
	Expired bool
	// ToDelete says that the next flush deletes its row.
	ToDelete bool
	// Changes are the fields of a persistent object that differ from its row as
	// last seen, in the order of the struct: columns first, then relations.
	Changes []Change
}

// Change is a field that differs from what was read, or last flushed.
type Change struct {
	// Field is the field's name, prefixed with those of the embedded structs
	// that contain it.
	Field string
	// From is the value before, of the field's type.
	From any
	// To is the value now.
	To any
}
