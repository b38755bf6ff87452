package orm

import (
	"context"
	"fmt"
	"sync"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// sessionCall is a method of a session on its way through the chain.
type sessionCall struct {
	sp.Call
	do        func(ctx context.Context) error
	performed bool
}

// Do performs the method.
func (c *sessionCall) Do(ctx context.Context, _ *sp.Call) error {
	c.performed = true
	err := c.do(attach.Context(ctx, &c.Call))
	if err != nil && c.Op == opRunSync {
		attach.JudgeOwn(ctx, &c.Call, err, fault.PhaseStatement)
	}
	return err
}

var sessionCalls = sync.Pool{New: func() any {
	c := &sessionCall{}
	attach.Reset(&c.Call, c)
	return c
}}

// run passes a method through the chain.
func (s *Session) run(ctx context.Context, op sp.Op, do func(ctx context.Context) error) error {
	return s.pass(ctx, op, s.tx.begun(), do)
}

// pass is run, for any goroutine.
func (s *Session) pass(ctx context.Context, op sp.Op, inTx bool, do func(ctx context.Context) error) error {
	if s.handler == nil {
		return do(ctx)
	}
	c := sessionCalls.Get().(*sessionCall)
	c.Op, c.Level, c.Scope, c.do = op, sp.LevelSession, sp.ScopePool, do
	c.InTx, c.Target = inTx, s.eng.Target()
	attach.Bind(ctx, &c.Call)
	_, err := attach.Run(ctx, &c.Call, s.handler)
	if err == nil && !c.performed {
		err = fmt.Errorf("orm: %s: an interceptor returned without an error and without calling the next handler", op)
	}
	c.do, c.performed = nil, false
	if !op.Local() { // a context that knows the call may still be about, such as that of COMMIT
		return err
	}
	attach.Reset(&c.Call, c)
	sessionCalls.Put(c)
	return err
}

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
