package engine

import "slices"

// join makes one outcome of those of a batch.
func join(outs []Outcome) Outcome {
	if len(outs) == 1 {
		return outs[0]
	}
	all := Outcome{}
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

// joined are several blocks, one behind the other.
type joined struct {
	blocks []Block
	ends   []int // how many rows there are up to the end of each block
}

func (j *joined) add(b Block) {
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
func (j *joined) at(row int) (Block, int) {
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
