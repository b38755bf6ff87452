// Package orm keeps Go structs as rows of tables, in the manner of
// SQLAlchemy's session: objects in, the right SQL out, in one transaction.
//
//	s := orm.NewSession(eng)
//	defer s.Close(ctx)
//
//	user, err := orm.Get[User](ctx, s, 7)      // one pointer per row
//	user.Email = "new@example.com"             // a plain assignment
//	err = s.Add(&Order{Customer: user.ID})
//	err = s.Commit(ctx)                        // one INSERT, one UPDATE of one column
//
// How a struct is kept is said by its tags: see package orm/mapping.
//
// # Unit of work
//
// A session compares its objects with what was loaded and sends what has
// changed, when it is flushed: before a query, with Commit, or by Flush. Rows
// are inserted and updated before the rows that refer to them and deleted after
// them. Where the database can, all of a flush travels in one batch.
//
// A transaction begins by itself with the first use; BEGIN reaches the database
// when a statement has to. Commit and Rollback end it. After a commit objects
// are expired, and read again when they are asked for. A flush that fails rolls
// the transaction back at once, and the session says so until Rollback is
// called: see [ErrPendingRollback].
//
// # States
//
// An object is transient until it is added, then pending until it is flushed,
// then persistent. One that is deleted stays persistent until the flush, is
// deleted until the transaction ends, and then detached, as are the objects of
// a closed session.
//
// A session holds its objects strongly: a change of an object that nobody else
// holds must not be lost. Expunge and Close let them go.
//
// A session is used by one goroutine at a time.
package orm
