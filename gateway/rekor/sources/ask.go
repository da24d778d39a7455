// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
)

// Said is what a log of Rekor v1 has said of its trees.
type Said struct {
	// Checkpoints are those of its trees, signed notes, first that of the tree that it writes to. Who reads them verifies them.
	Checkpoints []string
	// Err is why there are none; nil: it has not been asked.
	Err error
}

// TreesConfig describes how logs of Rekor v1 are asked for their trees.
type TreesConfig struct {
	// Cache is the folder of what they said last; "" is none.
	Cache string
	// UserAgent is the User-Agent header of all requests.
	UserAgent string
	// Timeout bounds one request. Zero is 10 seconds.
	Timeout time.Duration
	// Logger is told of logs that do not answer, or go on in other trees; required.
	Logger *slog.Logger
	// Now tells when a log is asked again; nil is time.Now.
	Now func() time.Time
}

const (
	// treesEvery is how often a log is asked while it answers, and treesRetry while it does not.
	treesEvery = 5 * time.Minute
	treesRetry = time.Minute
	// maxTrees bounds the trees of a log that are known.
	maxTrees = 64
	// treesFile is the name of the cache's file.
	treesFile = "rekor-v1-trees.json"
)

// Trees are the trees of logs of Rekor v1 that a signing config names by their hosts alone. It is safe for concurrent use.
type Trees struct {
	cfg TreesConfig

	mu    sync.Mutex // guards what follows
	said  map[string]Said
	asked map[string]time.Time // when a log was asked last, by its URL
	read  bool                 // the cache has been read
}

// NewTrees returns what asks. Nothing is read or asked yet.
func NewTrees(cfg TreesConfig) *Trees {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Trees{cfg: cfg, said: map[string]Said{}, asked: map[string]time.Time{}}
}

// Update asks the logs of contents that are of Rekor v1 and are due: those that have said nothing yet, and from time to time all. What they say, by
// their URLs, is returned, and cached. A log that does not answer, or says what no key of contents has signed, keeps what it has said before.
func (t *Trees) Update(ctx context.Context, contents *Contents, logs []Log, at time.Time) map[string]Said {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loadCache()
	changed := false
	for _, l := range logs {
		if !l.RekorV1 || l.Origin != "" {
			continue
		}
		hosts, err := contents.listHosts(l, at)
		if err != nil {
			continue // ListTrees says it
		}
		for _, h := range hosts {
			if t.isDue(h.base) {
				changed = t.ask(ctx, contents, h) || changed
			}
		}
	}
	if changed {
		if err := t.keepCache(); err != nil {
			t.cfg.Logger.Warn("what logs of Rekor v1 have said of their trees could not be kept", "error", err)
		}
	}
	return maps.Clone(t.said)
}

func (t *Trees) isDue(base string) bool {
	wait := treesEvery
	if t.said[base].Err != nil {
		wait = treesRetry
	}
	asked, once := t.asked[base]
	return !once || t.cfg.Now().Sub(asked) >= wait
}

// ask asks one log, and reports whether it has other trees than before.
func (t *Trees) ask(ctx context.Context, contents *Contents, h host) (changed bool) {
	t.asked[h.base] = t.cfg.Now()
	before := t.said[h.base]
	checkpoints, err := rekorv1.AskTrees(ctx, rekorv1.Config{URL: h.base, UserAgent: t.cfg.UserAgent, ReadTimeout: t.cfg.Timeout})
	if err == nil {
		_, err = contents.openTree(h.name, checkpoints[0])
	}
	if err != nil {
		if before.Err == nil {
			t.cfg.Logger.Warn("a log of Rekor v1 was asked for its trees in vain; what it said before stays in use", "url", h.base, "error", err)
		}
		t.said[h.base] = Said{before.Checkpoints, err}
		return false
	}
	now := Said{Checkpoints: contents.mergeTrees(h.name, checkpoints, before.Checkpoints)}
	if origins := contents.listOrigins(host{name: h.name, said: now}); slices.Equal(origins, contents.listOrigins(host{name: h.name, said: before})) {
		now.Checkpoints = before.Checkpoints // the same trees: nothing has to be read again
	}
	t.said[h.base] = now
	return !slices.Equal(now.Checkpoints, before.Checkpoints)
}

// mergeTrees returns the checkpoints that are right, one of each tree: those that were said last, and of trees that were said before. What a log does not mention
// any more may have entries in doubt all the same, and others that callers ask for.
func (c *Contents) mergeTrees(name string, now, before []string) (merged []string) {
	known := map[string]bool{}
	for _, text := range slices.Concat(now, before) {
		if origin, err := c.openTree(name, text); err == nil && !known[origin] && len(merged) < maxTrees {
			known[origin] = true
			merged = append(merged, text)
		}
	}
	return merged
}

// loadCache reads the cache once. What is not there, or cannot be read, is asked for.
func (t *Trees) loadCache() {
	if t.read || t.cfg.Cache == "" {
		return
	}
	t.read = true
	kept := map[string][]string{}
	b, err := readBoundedFile(t.cacheFile())
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.cfg.Logger.Warn("what logs of Rekor v1 have said of their trees cannot be read, and is asked for anew", "error", err)
		}
		return
	}
	for base, checkpoints := range kept {
		t.said[base] = Said{Checkpoints: checkpoints}
	}
}

func (t *Trees) cacheFile() string { return filepath.Join(t.cfg.Cache, treesFile) }

// keepCache replaces the cache as a whole.
func (t *Trees) keepCache() error {
	if t.cfg.Cache == "" {
		return nil
	}
	kept := map[string][]string{}
	for base, said := range t.said {
		kept[base] = said.Checkpoints
	}
	b, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.cfg.Cache, 0o700); err != nil {
		return err
	}
	fresh := fmt.Sprintf("%s.%d.new", t.cacheFile(), os.Getpid()) // gateways may share the folder
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeSynced(fresh, b); err != nil {
		return err
	}
	return os.Rename(fresh, t.cacheFile())
}
