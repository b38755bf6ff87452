package dbname

import (
	"net/url"
	"path/filepath"
	"strings"
)

// readSQLite reads a file's name, which is shown without its folders and told
// apart with them. A database in memory, or a temporary one, is its handle's
// own, unless it has a name that connections share.
func (n *Name) readSQLite(dsn string) {
	file, query, _ := strings.Cut(dsn, "?")
	if path, ok := strings.CutPrefix(file, "file:"); ok {
		file = path
		if rest, ok := strings.CutPrefix(file, "//"); ok { // file://authority/path
			authority, path, _ := strings.Cut(rest, "/")
			file = "/" + path
			if authority != "" && authority != "localhost" {
				// SQLite refuses it, and quotes it. What is the file is not known.
				n.guarded, n.Target = true, n.Target.Apart()
				return
			}
		}
		if plain, err := url.PathUnescape(file); err == nil {
			file = plain
		}
	}
	params, _ := url.ParseQuery(query)
	switch {
	case file == "" || file == ":memory:" && params.Get("cache") != "shared":
		n.Target = n.Target.Apart()
		n.Target.Namespace = file
	case file == ":memory:" || params.Get("mode") == "memory" || params.Get("vfs") == "memdb":
		n.Target.Namespace = base(file)
		n.Target = n.Target.WithIdentity("memory " + file)
	default:
		n.Target.Namespace = base(file)
		if path, err := filepath.Abs(file); err == nil {
			n.Target = n.Target.WithIdentity(path)
		}
	}
}

// base returns a file's name without its folders.
func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
