package engine

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// BatchFuncs calls functions, each of which runs one statement with the
// connection, and sends the statements in one round trip if the database
// supports it. Each has its own result and error, and passes through the chain
// as a call of its own. After the first that fails, the others fail with a
// [PipelineAbortedError], as in an aborted transaction.
//
// The functions run on separate goroutines, one at a time: the second begins
// when the first waits for its answer; once the answers have arrived the first
// continues to its end before the second does. Statements that can't be sent
// with others, such as CREATE TABLE or a savepoint, are sent separately, in
// order. Without a transaction, and if the database has no pipelines, the
// functions are simply called.
//
// It returns when all functions have returned. It does not recover their
// panics.
func (c *Conn) BatchFuncs(fns ...func()) {
	b, ok := c.conn.(backend.Batcher)
	for len(fns) > 0 && (!ok || c.root == nil || len(fns) == 1) {
		fns[0]()
		fns = fns[1:]
	}
	if len(fns) > 0 {
		b.BatchFuncs(fns)
	}
}

// join merges the results of a batch into one.
func join(outs []backend.Result) backend.Result {
	if len(outs) == 1 {
		return outs[0]
	}
	all := backend.Result{}
	var blocks joined
	for _, o := range outs {
		if o.Affected < 0 || all.Affected < 0 {
			all.Affected = -1
		} else {
			all.Affected += o.Affected
		}
		if !all.HasLastID {
			all.LastID, all.HasLastID = o.LastID, o.HasLastID
		}
		if o.Rows != nil {
			all.Columns = o.Columns
			blocks.add(o.Rows)
		}
	}
	if blocks.blocks != nil {
		all.Rows = &blocks
	}
	return all
}

// joined concatenates several blocks.
type joined struct {
	blocks []backend.Block
	ends   []int // how many rows there are up to the end of each block
}

func (j *joined) add(b backend.Block) {
	j.blocks = append(j.blocks, b)
	j.ends = append(j.ends, j.Len()+b.Len())
}

func (j *joined) Len() int {
	if len(j.ends) == 0 {
		return 0
	}
	return j.ends[len(j.ends)-1]
}

// at returns the block of a row, and the row's number in it.
func (j *joined) at(row int) (backend.Block, int) {
	i, _ := slices.BinarySearch(j.ends, row+1)
	if i > 0 {
		row -= j.ends[i-1]
	}
	return j.blocks[i], row
}

func (j *joined) Scan(row int, dest ...any) error {
	b, row := j.at(row)
	return b.Scan(row, dest...)
}

func (j *joined) Values(row int) ([]any, error) {
	b, row := j.at(row)
	return b.Values(row)
}
