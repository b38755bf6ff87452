package orm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// path is a relation and those behind it.
type path struct {
	r    *mapping.Relation
	rest []path
}

// pathsOf reads paths such as "Players.Team".
func pathsOf(t *mapping.Table, texts []string) ([]path, error) {
	var order []string
	rest := map[string][]string{}
	for _, text := range texts {
		head, tail, more := strings.Cut(text, ".")
		if !slices.Contains(order, head) {
			order = append(order, head)
		}
		if more {
			rest[head] = append(rest[head], tail)
		}
	}
	var out []path
	for _, name := range order {
		r := t.Relation(name)
		if r == nil {
			return nil, fmt.Errorf("orm: %s has no relation %q", t.Type.Name(), name)
		}
		behind, err := pathsOf(r.Other, rest[name])
		if err != nil {
			return nil, err
		}
		out = append(out, path{r, behind})
	}
	return out, nil
}
