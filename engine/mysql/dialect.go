package mysql

import (
	"strconv"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// dialect describes a server by its VERSION(); if that is empty, only by what
// every server of the system supports.
func dialect(system sp.System, version string) *backend.Dialect {
	d := &backend.Dialect{
		System: system, Version: version, Placeholder: backend.Question, Quote: '`',
		Features: backend.Features{
			Savepoints: true, ForUpdate: true, DefaultKeyword: true,
			Upsert: backend.UpsertOnDuplicateKey, MatchedRows: true, LastInsertID: true,
		},
	}
	if version == "" {
		return d
	}
	major, minor := parseVersion(version)
	atLeast := func(a, b int) bool { return major > a || major == a && minor >= b }
	if strings.Contains(strings.ToLower(version), "mariadb") {
		d.System = sp.MariaDB
		d.Features.InsertReturning = atLeast(10, 5) // MDEV-10014
		d.Features.DeleteReturning = atLeast(10, 0) // MDEV-3814
		d.Features.SkipLocked = atLeast(10, 6)      // MDEV-13115
		return d
	}
	d.System = sp.MySQL
	d.Features.SkipLocked = atLeast(8, 0) // release notes of 8.0.1
	return d
}

// parseVersion reads the first two numbers of a version. MariaDB may prefix its
// own with 5.5.5-, for old clients.
func parseVersion(s string) (major, minor int) {
	s = strings.TrimPrefix(s, "5.5.5-")
	first, rest, _ := strings.Cut(s, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, _ = strconv.Atoi(first)
	minor, _ = strconv.Atoi(second)
	return major, minor
}

// normalize turns text that the driver returns as bytes into strings, and
// float32 into float64.
func normalize(columnType string, value any) any {
	switch v := value.(type) {
	case []byte:
		switch columnType {
		case "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "BIT", "GEOMETRY", "VECTOR":
			return v
		}
		return string(v)
	case float32:
		// By way of the shortest decimal that denotes it, as it was written.
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
		return f
	}
	return value
}
