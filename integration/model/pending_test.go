package model_test

import "slices"

// pending is what the library does not do right yet: sequences leave it out.
// An entry goes when its fault is mended.
var pending = exclusions{
	// A unit's BEGIN is repeated on another connection although the one it was
	// sent on was in a transaction, or in no state to begin one.
	begin: true,
	// What is repeated on another connection finds autocommit on, though it was
	// off on the one that was lost.
	cutsWithoutAutocommit: true,
	// A unit is replayed although its function has ended the transaction, with a
	// Commit or with a text.
	commitsSelf: true,
	inUnits:     []kind{ddl, begins, commits, rollsBack, chains, autocommitOff, autocommitOn},
}

type exclusions struct {
	kinds                 []kind
	begin                 bool
	cutsWithoutAutocommit bool
	commitsSelf           bool
	inUnits               []kind
}

// from leaves out of a catalogue what is excluded, in a unit or elsewhere.
func (e exclusions) from(catalogue []text, inUnit bool) []text {
	return slices.DeleteFunc(slices.Clone(catalogue), func(t text) bool {
		return slices.Contains(e.kinds, t.kind) || inUnit && slices.Contains(e.inUnits, t.kind)
	})
}
