package statusz

import (
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// maxSeries is how many series a page keeps, of all databases together.
const maxSeries = 400

type seriesKey struct {
	database *database
	name     string
}

// seriesOf returns the series that calls of k are counted in. A series that gave way
// is replaced, and one that stands for many is left as soon as there is room.
func (d *database) seriesOf(k *known, op sp.Op, now time.Duration) *series {
	s := k.series.Load()
	if s.gone.Load() || s.shared && k.tried.Load() < int64(now/window) {
		d.find(k, op)
		s = k.series.Load()
	}
	return s
}

// find finds the series for k, and makes it if there is room.
func (d *database) find(k *known, op sp.Op) {
	now := d.page.clock()
	key := seriesKey{d, k.name}
	ds := &d.page.databases
	ds.mu.Lock()
	defer ds.mu.Unlock()
	s := ds.series[key]
	switch {
	case s != nil:
	case len(ds.series) < maxSeries || ds.drop(now):
		s = newSeries(d, op, k.name, now)
		ds.series[key] = s
	default:
		if s = ds.rest[d]; s == nil {
			s = newSeries(d, sp.OpUnknown, "(other statements)", now)
			s.shared = true
			ds.rest[d] = s
		}
	}
	k.tried.Store(int64(now / window))
	k.series.Store(s)
}

// drop drops the series that was idle for longest, of those that have nothing
// left to show.
func (ds *databases) drop(now time.Duration) bool {
	var oldest seriesKey
	least := int64(now/window) - 1
	for key, s := range ds.series {
		if n := s.number.Load(); n < least {
			oldest, least = key, n
		}
	}
	s := ds.series[oldest]
	if s == nil {
		return false
	}
	s.gone.Store(true)
	delete(ds.series, oldest)
	return true
}

// allSeries returns the series, in no order.
func (ds *databases) allSeries() (all []*series) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for _, s := range ds.series {
		all = append(all, s)
	}
	for _, s := range ds.rest {
		all = append(all, s)
	}
	return all
}
