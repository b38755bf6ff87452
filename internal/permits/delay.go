package permits

import "time"

// delay tells a line that stands from one that a burst has made, as CoDel does
// (Nichols and Jacobson, Controlling Queue Delay, ACM Queue 2012): by the
// shortest wait of an interval.
type delay struct {
	overload bool
	ends     time.Time // of the interval
	shortest time.Duration
}

// observe takes in that one has waited for so long and is next, of length.
func (d *delay) observe(now time.Time, waited, target, interval time.Duration, length int) {
	if d.shortest = min(d.shortest, waited); length == 1 {
		d.shortest = 0 // the line empties
	}
	switch {
	case now.Before(d.ends):
		return
	case now.Sub(d.ends) > interval: // nobody has waited for long
		d.overload = false
	default:
		d.overload = d.shortest > target
	}
	d.ends, d.shortest = now.Add(interval), waited
}
