package fault_test

import (
	"errors"
	"fmt"
	"io"

	"github.com/sessionproxy/sessionproxy/fault"
)

// The same lost connection means different things to a statement that changes
// rows, to one that only reads, inside a transaction and at its COMMIT.
func ExampleOf() {
	err := fmt.Errorf("update account: %w", io.ErrUnexpectedEOF)
	for _, s := range []fault.Situation{
		{},
		{Idempotent: true},
		{InTx: true},
		{InTx: true, Phase: fault.PhaseCommit},
	} {
		v := fault.Of(err, s)
		fmt.Printf("%v: retry %v, outcome %v\n", v.Class, v.Retry, v.Outcome)
	}
	// Output:
	// connection_lost: retry none, outcome unknown
	// connection_lost: retry reconnect, outcome unknown
	// connection_lost: retry transaction, outcome rolled_back
	// connection_lost: retry none, outcome unknown
}

// A caller that gets an unknown commit has to look before it repeats.
func ExampleCommitError() {
	err := fmt.Errorf("place order: %w", &fault.CommitError{Err: io.ErrUnexpectedEOF})
	fmt.Println(errors.Is(err, fault.ErrCommitUnknown))
	fmt.Println(err)
	// Output:
	// true
	// place order: fault: commit: the outcome is unknown, verify it before repeating the transaction: unexpected EOF
}
