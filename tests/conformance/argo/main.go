// Package main is the real argo command: the peer that `tiphys` is compared with.
//
// It exists because the Go module proxy serves argo-workflows to a module that requires it, not to `go install`.
package main

import (
	"os"

	"github.com/argoproj/argo-workflows/v3/cmd/argo/commands"
)

func main() {
	if err := commands.NewCommand().Execute(); err != nil {
		os.Exit(1)
	}
}
