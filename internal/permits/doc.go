// Package permits hands out a bounded number of permits, and has the others wait
// in a line: by priority, in turns of the shares, first come, first served. It is
// what the limits are made of.
package permits
