package outage

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// An svg is a picture in the making.
type svg struct{ b strings.Builder }

// The style follows the reader's: the page's ground stays transparent.
const svgStyle = `<style>text{font:11px sans-serif;fill:#777}.h{font-weight:bold;font-size:13px}.n{font-size:12px}` +
	`.ok{fill:#3a9a5b}.failed{fill:#d0453b}.refused{fill:#e0a63a}.away{fill:#888;opacity:.18}` +
	`.p50{stroke:#4477cc}.p99{stroke:#9955bb}path{stroke-width:1.3}.p50,.p99,.axis{fill:none}.axis{stroke:#999;stroke-width:.6}</style>` + "\n"

func (s *svg) rect(class string, x, y, w, h float64) {
	if w <= 0 || h <= 0 {
		return
	}
	fmt.Fprintf(&s.b, `<rect class=%q x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", class, x, y, w, h)
}

func (s *svg) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(&s.b, `<text class=%q text-anchor=%q x="%.1f" y="%.1f">%s</text>`+"\n", class, anchor, x, y, html.EscapeString(text))
}

// A bar is a rectangle that others of its class may follow.
type bar struct{ x, y, w, h float64 }

func (s *svg) bars(class string, bars []bar) {
	var d strings.Builder
	for _, b := range bars {
		if b.h > 0 {
			fmt.Fprintf(&d, "M%.1f %.1fh%.1fv%.1fh%.1fz", b.x, b.y, b.w, b.h, -b.w)
		}
	}
	if d.Len() > 0 {
		fmt.Fprintf(&s.b, `<path class=%q d=%q/>`+"\n", class, d.String())
	}
}

// A point of a line; one that is not there breaks the line.
type point struct {
	x, y float64
	none bool
}

func (s *svg) line(class string, points []point) {
	var d strings.Builder
	pen := byte('M')
	for _, p := range points {
		if p.none {
			pen = 'M'
			continue
		}
		fmt.Fprintf(&d, "%c%.1f %.1f", pen, p.x, p.y)
		pen = 'L'
	}
	if d.Len() > 0 {
		fmt.Fprintf(&s.b, `<path class=%q d=%q/>`+"\n", class, d.String())
	}
}

// writeTo writes the picture with its size in pixels.
func (s *svg) writeTo(w io.Writer, width, height float64) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f">`+"\n%s%s</svg>\n",
		width, height, width, height, svgStyle, s.b.String())
	return err
}
