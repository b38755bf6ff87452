package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// readTLS reads the parameters for the connection's encryption.
func (s *settings) readTLS(p *backend.ParamReader, host string) {
	mode := p.OneOf("tls", "", "false", "preferred", "true", "skip-verify")
	ca, cert, key := p.String("tls_ca", ""), p.String("tls_cert", ""), p.String("tls_key", "")
	name := p.String("tls_server_name", host)
	own := ca != "" || cert != "" || key != "" || p.Has("tls_server_name")
	switch {
	case mode == "" && own:
		mode = "true"
	case mode == "":
		mode = "preferred"
	case mode == "false" && own:
		p.Fail("tls", `is "false", yet other parameters ask for it`)
	}
	s.config.TLSConfig = mode
	if !own || mode == "false" {
		return
	}
	c := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12, InsecureSkipVerify: mode != "true"} //nolint:gosec // the URL says so
	if ca != "" {
		pool, err := readCA(ca)
		if err != nil {
			p.Fail("tls_ca", err.Error())
		}
		c.RootCAs = pool
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			p.Fail("tls_cert", "and tls_key: "+err.Error())
		}
		c.Certificates = []tls.Certificate{pair}
	}
	s.config.TLS = c
	s.config.AllowFallbackToPlaintext = mode == "preferred"
}

func readCA(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path) //nolint:gosec // the URL names the file
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM form", path)
	}
	return pool, nil
}
