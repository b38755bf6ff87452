// Package schema describes to ent what the compatibility test stores.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
)

// Item is a thing in the shop.
type Item struct{ ent.Schema }

// Fields returns the columns of an item.
func (Item) Fields() []ent.Field {
	return []ent.Field{field.String("name"), field.Int("stock").NonNegative().Default(0)}
}
