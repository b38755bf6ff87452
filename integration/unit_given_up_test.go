package integration_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// TestAUnitThatItsFunctionGivesUpIsNoFailure holds that spans, metrics, the log
// and the page tell the caller's own error from the database's.
func TestAUnitThatItsFunctionGivesUpIsNoFailure(t *testing.T) {
	t.Parallel()
	own := errors.New("out of stock")
	for name, racks := range map[string][]string{"own": {"one"}, "violation": {"one", "one"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRollbackShown(t)
			eng := must(engine.Open(t.Context(), "sqlite:"+t.TempDir()+"/given_up.db", engine.WithChain(sp.NewChain(s.chain()...))))
			t.Cleanup(func() { _ = eng.Dispose() })
			if err := orm.CreateAll(t.Context(), eng, (*Rack)(nil), (*Bottle)(nil)); err != nil {
				t.Fatal(err)
			}
			s.take()
			err := must(proxy.NewMaker(eng)).Run(t.Context(), func(ctx context.Context, ses *proxy.Session) error {
				for _, name := range racks {
					if err := ses.Add(&Rack{Name: name}); err != nil {
						return err
					}
				}
				return errors.Join(ses.Flush(ctx), own)
			})
			if !errors.Is(err, own) {
				t.Fatal(err)
			}
			wrong := 0
			for _, span := range s.take() {
				if span.Status.Code == codes.Error {
					wrong++
				}
			}
			failed, listed := s.metrics(t, "db.client.operation.duration", "transaction"), failuresOf(t, s.page)
			if shown := wrong > 0 || failed || len(listed) > 0 || s.log.Len() > 0; shown != (name == "violation") {
				t.Errorf("%d spans, metric %t, page %+v, log %s", wrong, failed, listed, s.log)
			}
		})
	}
}
