package statusz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// ServeHTTP answers GET and HEAD with the page, or with the same data as JSON
// if the query says format=json, or if the request accepts JSON and not HTML.
// It may be mounted at any path. The response contains no argument, literal,
// password or user; it does show names of tables and hosts and the shape of
// statements, so mount it where only those who run the service can reach it.
// Requests within a quarter of a second get the same response.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "statusz: want GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	var body []byte
	var content string
	var err error
	switch format := formatOf(r); format {
	case "json":
		content = "application/json"
		body, err = p.body(r.Context(), &p.json, writeJSON)
	case "html":
		content = "text/html; charset=utf-8"
		body, err = p.body(r.Context(), &p.html, p.writeHTML)
	default:
		http.Error(w, fmt.Sprintf("statusz: format %q: want html or json", format), http.StatusBadRequest)
		return
	}
	if err != nil {
		http.Error(w, "statusz: the page can't be written", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", content)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // an error is the client's going
	}
}

// formatOf returns the format that a request asks for.
func formatOf(r *http.Request) string {
	if format := r.URL.Query().Get("format"); format != "" {
		return format
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		return "json"
	}
	return "html"
}

func writeJSON(to *bytes.Buffer, s *snapshot) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(s)
}
