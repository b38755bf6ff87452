package dbname

import (
	"path/filepath"
	"strconv"
	"strings"
)

// readSQLite reads a file's name, which is shown without its folders and told
// apart with them. A database in memory, or a temporary one, is its handle's
// own, unless it has a name that connections share. A URI is read by SQLite's
// rules: https://www.sqlite.org/uri.html.
func (n *Name) readSQLite(dsn string) {
	file, query := dsn, ""
	if i := strings.IndexByte(dsn, '?'); i > 0 { // at the beginning it is part of the name
		file, query = dsn[:i], dsn[i+1:]
	}
	uri, isURI := strings.CutPrefix(file, "file:")
	params := map[string]string{}
	if isURI {
		file, _, _ = strings.Cut(uri, "#")
		query, _, _ = strings.Cut(query, "#")
		if file != uri {
			query = "" // what follows the fragment belongs to it
		}
		if rest, ok := strings.CutPrefix(file, "//"); ok { // file://authority/path
			authority, path, slash := strings.Cut(rest, "/")
			if authority != "" && authority != "localhost" {
				// SQLite refuses it, and quotes it. What is the file is not known.
				n.guarded, n.Target = true, n.Target.Apart()
				return
			}
			if file = ""; slash {
				file = "/" + path
			}
		}
		file = unescape(file)
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key = unescape(key); isURI || key == "vfs" { // else it is for the driver alone, and never SQLite's
			params[key] = unescape(value)
		}
	}
	inMemory := file == ":memory:" || params["mode"] == "memory" || params["vfs"] == "memdb"
	shared := params["cache"] == "shared"
	if params["vfs"] == "memdb" {
		shared = strings.HasPrefix(file, "/")
	}
	n.Target.Namespace = base(file)
	switch {
	case file == "" || inMemory && !shared:
		n.Target = handles(n.Target)
	case inMemory:
		n.Target = n.Target.WithIdentity("memory " + file)
	default:
		if path, err := filepath.Abs(file); err == nil {
			n.Target = n.Target.WithIdentity(path)
		}
	}
}

// base returns a file's name without its folders.
func base(path string) string {
	return path[strings.LastIndexAny(path, "/"+string(filepath.Separator))+1:]
}

// unescape decodes %hh as SQLite does: any other % stands for itself, and %00
// ends the part that it is in.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if octet, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				if octet == 0 {
					return b.String()
				}
				b.WriteByte(byte(octet))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
