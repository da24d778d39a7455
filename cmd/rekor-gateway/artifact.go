// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
)

// takeArtifact finds the artifact's file. One that is named by a URL is fetched into a file that cleanUp
// removes.
func (a *attempt) takeArtifact(ctx context.Context) (cleanUp func(), err error) {
	cleanUp = func() {}
	if !client.IsURL(a.artifact) {
		a.path = a.artifact
		return cleanUp, nil
	}
	u, err := client.ParseFetchURL(a.artifact)
	if err != nil {
		return cleanUp, withHint(err, "download the file yourself, and name it with --artifact FILE")
	}
	spool, err := os.CreateTemp("", "rekor-gateway-artifact-")
	if err != nil {
		return cleanUp, fmt.Errorf("making room for the artifact: %w", err)
	}
	cleanUp = func() { _ = os.Remove(spool.Name()) }
	defer a.notes.SayWaiting("fetching " + a.artifact)()
	_, err = client.Fetch(ctx, u, spool, client.ArtifactLimits)
	if err = errors.Join(err, spool.Close()); err != nil {
		cleanUp()
		return func() {}, explainFetch(err)
	}
	a.path = spool.Name()
	return cleanUp, nil
}

func explainFetch(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fail(fault.ReasonFetch, err, "check the URL, or download the file yourself and name it with --artifact FILE")
}

// openArtifact opens the artifact to be read here.
func (a *attempt) openArtifact() (*os.File, error) { return os.Open(a.path) }

// sendArtifact opens the artifact to be sent, with a progress bar where somebody sees it.
func (a *attempt) sendArtifact() (io.ReadCloser, error) {
	file, err := a.openArtifact()
	if err != nil || a.terminal == nil {
		return file, err
	}
	return showProgress(a.terminal, file)
}
