package expr

import (
	"reflect"

	"github.com/sessionproxy/sessionproxy/orm/internal/term"
)

// Val returns a value as an expression.
func Val[T any](v T) Expr[T] { return Expr[T]{&term.Typed{V: v, Type: reflect.TypeFor[T]()}} }

// Func returns the result of a function of the database, of type T. Its arguments
// are pointers to fields, expressions and plain values:
//
//	expr.Func[string]("lower", &u.Name).Eq("alice")
//
// A value is a parameter whose type the database infers from the function;
// where it can't, use [Val] or [Cast].
func Func[T any](name string, args ...any) Expr[T] {
	return Expr[T]{&term.Call{Name: name, Args: nodesOf(args)}}
}

// SQL returns SQL text as an expression of type T, such as a window function.
// Each question mark outside of quotes is replaced by a field, an expression or
// a value; ?? is a question mark:
//
//	expr.SQL[int64]("row_number() OVER (PARTITION BY ? ORDER BY ? DESC)", &p.TeamID, &p.Score)
func SQL[T any](text string, args ...any) Expr[T] {
	return Expr[T]{&term.Template{Text: text, Args: nodesOf(args)}}
}

// nodesOf are arguments: fields by pointers, expressions and values.
func nodesOf(args []any) []term.Node {
	nodes := make([]term.Node, len(args))
	for i, a := range args {
		switch e := a.(type) {
		case term.Operand:
			nodes[i] = e.Term()
		case term.Node:
			nodes[i] = e
		default:
			if p := reflect.ValueOf(a); p.Kind() == reflect.Pointer && !p.IsNil() {
				nodes[i] = &term.Column{Field: p.UnsafePointer(), Type: p.Type().Elem()}
			} else {
				nodes[i] = &term.Value{V: a}
			}
		}
	}
	return nodes
}

// Is turns an expression that is true or false into a condition:
// Is(Of(&u.Active)).
func Is(e Expr[bool]) Cond { return &term.Is{Of: e.node} }

// Lower returns a text in lower case. SQLite changes ASCII letters only.
func Lower[T Textual](field *T) Expr[string] { return Func[string]("lower", field) }

// Upper returns a text in upper case. SQLite changes ASCII letters only.
func Upper[T Textual](field *T) Expr[string] { return Func[string]("upper", field) }

// Concat returns the concatenation of texts; NULL if one of them is.
func Concat(texts ...Expr[string]) Expr[string] { return Expr[string]{&term.Joined{Of: nodes(texts)}} }

func nodes[T any](of []Expr[T]) []term.Node {
	out := make([]term.Node, len(of))
	for i, e := range of {
		out[i] = e.node
	}
	return out
}

// Coalesce returns an expression, or v where it is NULL.
func Coalesce[T any](e Expr[T], v T) Expr[T] {
	return Expr[T]{&term.Call{Name: "coalesce", Args: []term.Node{e.node, &term.Value{V: v}}}}
}

// Nullable returns an expression that may be NULL, such as the sum of no rows, with
// a type that can hold it.
func Nullable[T any](e Expr[T]) Expr[*T] { return Expr[*T](e) }

// Cast converts an expression to another type: sqlType in SQL, T in Go.
//
//	expr.Cast[string](expr.Of(&u.ID), "varchar(20)")
func Cast[T, U any](e Expr[U], sqlType string) Expr[T] {
	return Expr[T]{&term.Cast{Of: e.node, As: sqlType}}
}

// Branch is a condition with the value of a [Case] if it holds.
type Branch[T any] struct{ branch term.Branch }

// When returns a branch of a [Case].
func When[T any](c Cond, v T) Branch[T] { return WhenExpr(c, Val(v)) }

// WhenExpr is [When] with an expression as the value.
func WhenExpr[T any](c Cond, e Expr[T]) Branch[T] { return Branch[T]{term.Branch{If: c, Then: e.node}} }

// Case returns the value of the first branch whose condition holds, or
// otherwise. The arguments are in the reverse of SQL's order, so that the
// compiler knows the type first:
//
//	expr.Case("minor", expr.When(expr.Ge(&u.Age, 18), "adult"))
func Case[T any](otherwise T, branches ...Branch[T]) Expr[T] {
	if len(branches) == 0 {
		return Val(otherwise)
	}
	c := &term.Case{Else: Val(otherwise).node}
	for _, b := range branches {
		c.When = append(c.When, b.branch)
	}
	return Expr[T]{c}
}
