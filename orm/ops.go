package orm

import sp "github.com/sessionproxy/sessionproxy"

// The operations of the session's methods.
var (
	opAdd         = sp.SessionOp("add")
	opAddAll      = sp.SessionOp("add_all")
	opBegin       = sp.SessionOp("begin")
	opBeginNested = sp.SessionOp("begin_nested")
	opClose       = sp.SessionOp("close")
	opCommit      = sp.SessionOp("commit")
	opConnection  = sp.SessionOp("connection")
	opDelete      = sp.SessionOp("delete")
	opExecute     = sp.SessionOp("execute")
	opExpire      = sp.SessionOp("expire")
	opExpireAll   = sp.SessionOp("expire_all")
	opExpunge     = sp.SessionOp("expunge")
	opExpungeAll  = sp.SessionOp("expunge_all")
	opFlush       = sp.SessionOp("flush")
	opGet         = sp.SessionOp("get")
	opGetOne      = sp.SessionOp("get_one")
	opInvalidate  = sp.SessionOp("invalidate")
	opIsModified  = sp.SessionOp("is_modified")
	opMerge       = sp.SessionOp("merge")
	opQuery       = sp.SessionOp("query")
	opRefresh     = sp.SessionOp("refresh")
	opReset       = sp.SessionOp("reset")
	opRollback    = sp.SessionOp("rollback")
	opRunSync     = sp.SessionOp("run_sync")
	opScalar      = sp.SessionOp("scalar")
	opScalars     = sp.SessionOp("scalars")
	opStream      = sp.SessionOp("stream")
)
