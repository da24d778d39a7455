// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// greedy reads what is cold where one method needs what is hot.
type greedy struct {
	gateway.Store
	method string
	some   *[]gateway.Submission // that were stored
}

// readCold is called by each method.
func (s greedy) readCold(ctx context.Context, method string) error {
	if method != s.method || len(*s.some) == 0 {
		return nil
	}
	_, err := s.Archived(ctx, (*s.some)[0].Tenant, (*s.some)[0].ID)
	return err
}

func (s greedy) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	out, err := s.Store.Enqueue(ctx, subs)
	for _, e := range out {
		*s.some = append(*s.some, e.Submission)
	}
	return out, err
}

func (s greedy) Get(ctx context.Context, tenant, id string) (gateway.Submission, error) {
	if err := s.readCold(ctx, "Get"); err != nil {
		return gateway.Submission{}, err
	}
	return s.Store.Get(ctx, tenant, id)
}

func (s greedy) GetAll(ctx context.Context, tenant string, ids []string) (map[string]gateway.Submission, error) {
	if err := s.readCold(ctx, "GetAll"); err != nil {
		return nil, err
	}
	return s.Store.GetAll(ctx, tenant, ids)
}

func (s greedy) ByLeaf(ctx context.Context, tenant, log string, leaf gateway.LeafHash) (gateway.Submission, error) {
	if err := s.readCold(ctx, "ByLeaf"); err != nil {
		return gateway.Submission{}, err
	}
	return s.Store.ByLeaf(ctx, tenant, log, leaf)
}

func (s greedy) List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error) {
	if err := s.readCold(ctx, "List"); err != nil {
		return nil, "", err
	}
	return s.Store.List(ctx, tenant, p)
}

func (s greedy) Progress(ctx context.Context, ids []string) ([]gateway.Progress, error) {
	if err := s.readCold(ctx, "Progress"); err != nil {
		return nil, err
	}
	return s.Store.Progress(ctx, ids)
}

func (s greedy) Stats(ctx context.Context) (gateway.Stats, error) {
	if err := s.readCold(ctx, "Stats"); err != nil {
		return gateway.Stats{}, err
	}
	return s.Store.Stats(ctx)
}

func (s greedy) Doubtful(ctx context.Context, p gateway.DoubtParams) ([]gateway.Doubt, error) {
	if err := s.readCold(ctx, "Doubtful"); err != nil {
		return nil, err
	}
	return s.Store.Doubtful(ctx, p)
}

func (s greedy) Settle(ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error) {
	if err := s.readCold(ctx, "Settle"); err != nil {
		return nil, err
	}
	return s.Store.Settle(ctx, settlements)
}

func (s greedy) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	if err := s.readCold(ctx, "Finish"); err != nil {
		return nil, err
	}
	return s.Store.Finish(ctx, outcomes)
}

func readGreedily(method string) Driver {
	return func(t *testing.T, o Options) Opened {
		path := filepath.Join(t.TempDir(), "store.db")
		return Opened{Store: greedy{openFile(t, path, o), method, new([]gateway.Submission)}, HideCold: func() func() {
			rename := func(from, to string) {
				db, err := sql.Open("sqlite", path)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				for _, table := range []string{"submission_blob", "entry_blob"} {
					if _, err := db.Exec("ALTER TABLE " + from + table + " RENAME TO " + to + table); err != nil {
						t.Fatal(err)
					}
				}
			}
			rename("", "hidden_")
			return func() { rename("hidden_", "") }
		}}
	}
}

// TestGreedyReaders: whatever reads what is cold without need fails a test.
func TestGreedyReaders(t *testing.T) {
	if failed := findFailure(t, readGreedily(""), "", coldTests); failed != "" {
		t.Errorf("a good store fails: %q", failed)
	}
	for _, method := range []string{"Get", "GetAll", "ByLeaf", "List", "Progress", "Stats", "Doubtful", "Settle", "Finish"} {
		t.Run(method, func(t *testing.T) {
			if failed := findFailure(t, readGreedily(method), "", coldTests); failed == "" {
				t.Error("passes")
			}
		})
	}
}
