// Package orm maps Go structs to rows of tables with a unit-of-work session
// modelled on SQLAlchemy's: objects in, the right SQL out, in one transaction.
//
//	s := orm.NewSession(eng)
//	defer s.Close(ctx)
//
//	user, err := orm.Get[User](ctx, s, 7)      // one pointer per row
//	user.Email = "new@example.com"             // a plain assignment
//	err = s.Add(&Order{Customer: user.ID})
//	err = s.Commit(ctx)                        // one INSERT, one UPDATE of one column
//
// Struct tags define the mapping: see package orm/mapping.
//
// # Unit of work
//
// A flush compares the session's objects with what was loaded and sends the
// changes: before a query, on Commit, or when Flush is called. Rows are
// inserted and updated before the rows that refer to them and deleted after
// them. If the database supports it, a whole flush is sent as one batch.
//
// A transaction begins automatically on first use; BEGIN is sent with the first
// statement. Commit and Rollback end it. After a commit objects are expired,
// and read again when next requested. A failed flush rolls the transaction back
// at once, and the session returns errors until Rollback is called: see
// [ErrPendingRollback].
//
// # States
//
// An object is transient until it is added, then pending until it is flushed,
// then persistent. After Delete it stays persistent until the flush, is deleted
// until the transaction ends, and then detached, as are the objects of a closed
// session.
//
// A session holds strong references to its objects, because a change to an
// object that nothing else holds must not be lost. Expunge and Close release
// them.
//
// A session is used by one goroutine at a time.
package orm
