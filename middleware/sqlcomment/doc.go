// Package sqlcomment ends statements with a comment, in the form of
// sqlcommenter, that tells the server where they come from:
//
//	comment, err := sqlcomment.New(sqlcomment.WithTag("service", "shop"))
package sqlcomment
