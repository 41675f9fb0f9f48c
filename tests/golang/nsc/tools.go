//go:build tools

// Package tools pins the nsc that the tests build: `go build github.com/nats-io/nsc/v2` in this folder.
package tools

import _ "github.com/nats-io/nsc/v2"
