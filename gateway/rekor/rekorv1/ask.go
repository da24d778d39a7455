// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"context"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
)

// AskTrees asks the log at cfg.URL for its trees, and returns their checkpoints as it says them: first that of the tree that it writes to. Nobody
// has verified them. Of cfg, URL, UserAgent, RootCAs and ReadTimeout count. Errors are gateway.ErrUnavailable and ErrBadAnswer.
func AskTrees(ctx context.Context, cfg Config) (checkpoints []string, err error) {
	cfg, err = cfg.withClientDefaults()
	if err != nil {
		return nil, err
	}
	client := newClient(cfg)
	defer client.CloseIdleConnections()
	a := api{base: cfg.base, client: client, timeout: cfg.ReadTimeout, answers: logmetrics.NewAnswers(), spare: &spare{}, userAgent: cfg.UserAgent}
	var info logInfo
	if err := a.getJSON(ctx, infoPath, nil, maxInfo, &info); err != nil {
		return nil, err
	}
	if info.SignedTreeHead == "" {
		return nil, errors.New("the log does not say which tree it writes to")
	}
	checkpoints = []string{info.SignedTreeHead}
	for _, former := range info.InactiveShards {
		checkpoints = append(checkpoints, former.SignedTreeHead)
	}
	return checkpoints, nil
}
