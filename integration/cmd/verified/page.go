package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// page is docs/verified.md: a section for each part, by its title.
type page struct {
	path     string
	sections map[string]string
}

// read returns the page as it is, or an empty one where there is none.
func read(path string) (page, error) {
	p := page{path, map[string]string{}}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	for section := range strings.SplitSeq("\n"+string(text), "\n## ") {
		if title, rest, ok := strings.Cut(section, "\n\n"); ok {
			p.sections[title] = strings.TrimSpace(rest) + "\n"
		}
	}
	return p, nil
}

// write writes the page, its sections in the order of the parts.
func (p page) write() error {
	var out bytes.Buffer
	out.WriteString("# Verified\n\n" +
		"Written by `make verify`: what takes too long for every change. Do not edit. Each part says which commit it ran on, and when.\n\n")
	fmt.Fprintf(&out, "%s on %s/%s, %d cores.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, part := range parts {
		section, ok := p.sections[part.title]
		if !ok {
			section = "Not run yet.\n"
		}
		fmt.Fprintf(&out, "\n## %s\n\n%s", part.title, section)
	}
	return os.WriteFile(p.path, out.Bytes(), 0o644)
}
