package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Path is a relation and those behind it.
type Path struct {
	Relation *mapping.Relation // the relation
	Rest     []Path            // those of the objects that it holds
}

// Paths reads paths such as "Players.Team".
func Paths(t *mapping.Table, texts []string) ([]Path, error) {
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
	var out []Path
	for _, name := range order {
		r := t.Relation(name)
		if r == nil {
			return nil, fmt.Errorf("orm: %s, relation %q: %w", t.Type.Name(), name, mapping.ErrUnknownField)
		}
		behind, err := Paths(r.Other, rest[name])
		if err != nil {
			return nil, err
		}
		out = append(out, Path{r, behind})
	}
	return out, nil
}
