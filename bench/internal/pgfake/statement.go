package pgfake

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// A Statement is a text that a [Server] knows, and what it answers.
type Statement struct {
	// SQL is the text, to the letter.
	SQL string
	// Params are the OIDs of its parameters' types.
	Params []uint32
	// Columns describe its rows; none for a statement that returns no rows.
	Columns []Column
	// Rows are its rows: a value per column of the column's Go type.
	Rows [][]any
	// Tag is its command tag. One that begins with COPY makes the statement a
	// COPY from the client, whose data is thrown away.
	Tag string
}

// A Column is a column of a [Statement].
type Column struct {
	// Name is the column's name.
	Name string
	// OID is its type's, of those that [pgtype.Map] can encode in binary.
	OID uint32
}

// answer is a statement's answers, encoded.
type answer struct {
	description []byte // of the statement: parameters and columns
	columns     []byte // of the portal
	result      []byte // rows and command tag
	copies      bool   // the client sends data before the result
}

// encode encodes the answers of a statement. Values are binary, as pgx asks
// for where it can.
func (s Statement) encode() (*answer, error) {
	a := &answer{copies: strings.HasPrefix(s.Tag, "COPY")}
	fields := make([]pgproto3.FieldDescription, len(s.Columns))
	for i, c := range s.Columns {
		fields[i] = pgproto3.FieldDescription{
			Name: []byte(c.Name), DataTypeOID: c.OID, DataTypeSize: -1, TypeModifier: -1, Format: pgtype.BinaryFormatCode,
		}
	}
	var columns pgproto3.BackendMessage = &pgproto3.RowDescription{Fields: fields}
	if len(fields) == 0 {
		columns = &pgproto3.NoData{}
	}
	a.columns = append1(nil, columns)
	a.description = append1(append1(nil, &pgproto3.ParameterDescription{ParameterOIDs: s.Params}), columns)

	types := pgtype.NewMap()
	for _, row := range s.Rows {
		values := make([][]byte, len(row))
		for i, v := range row {
			var err error
			values[i], err = types.Encode(s.Columns[i].OID, pgtype.BinaryFormatCode, v, nil)
			if err != nil {
				return nil, fmt.Errorf("pgfake: encode the rows of %s: %w", s.SQL, err)
			}
		}
		a.result = append1(a.result, &pgproto3.DataRow{Values: values})
	}
	a.result = append1(a.result, &pgproto3.CommandComplete{CommandTag: []byte(s.Tag)})
	return a, nil
}

// append1 appends one message to out. The messages of this package are never
// too long to encode.
func append1(out []byte, m pgproto3.BackendMessage) []byte {
	out, err := m.Encode(out)
	if err != nil {
		panic(err)
	}
	return out
}
