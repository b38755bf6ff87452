package permits

import "time"

// A line that stands still may never move again: those who hold the permits may
// wait for calls that are in line, as a caller does who sends statements in a loop
// over rows; or all of them wait for one lock, while the line has other work to
// do. So the line is let in one by one, beyond the limit, until permits come back.

// standstill is how many times its pace a line has to have stood still.
const standstill = 4

// letIn lets the next one in if the line has stood still for too long, and
// returns when to look again.
func (p *Permits) letIn() time.Duration {
	p.lock()
	defer p.unlock()
	now := time.Now()
	still := max(p.bounds.Stall, standstill*p.line.pace)
	if left := still - now.Sub(p.line.moved); left > 0 {
		return left
	}
	if p.line.length > 0 && p.word.inUse() < p.bounds.Most {
		pace := p.line.pace // of permits that come back
		p.grant(p.line.next(false), now)
		p.line.pace = pace
	}
	return still
}
