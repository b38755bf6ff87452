// Package sqlcomment appends a comment to statements, in sqlcommenter's format,
// that shows the server where they come from:
//
//	comment, err := sqlcomment.New(sqlcomment.WithTag("service", "shop"))
package sqlcomment
