// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// What a gateway does not record by a digest, since its policy has it attested, is sent with its bytes then.
func TestBackfillSendsBytesInstead(t *testing.T) {
	tree := makeTree(t, 0)
	copyFile(t, offline("artifact"), filepath.Join(tree, "lib"))
	copyFile(t, offline("pgp-rsa3072.sig"), filepath.Join(tree, "lib.asc"))
	for reason, want := range map[string]struct {
		state string
		alone int64
	}{
		"REPRESENTATION_NOT_ALLOWED": {stateLogged, 1}, "FORMAT_NOT_ALLOWED": {stateRefused, 0},
	} {
		g := &standIn{t: t, receipt: offline("pgp-rsa3072.receipt.json"), lines: func(int) (int, string) {
			return -1, `"status":422,"problem":{"reason":"` + reason + `","detail":"what","hint":"why"}`
		}}
		report := filepath.Join(t.TempDir(), "report.jsonl")
		_, out, errs := runBackfill(t.Context(), g.start(), tree, "--key", offline("pgp-rsa3072.pub"), "--report", report, "--receipts", t.TempDir())
		var o outcome
		if err := json.Unmarshal(must(os.ReadFile(report)), &o); err != nil || o.State != want.state || g.alone.Load() != want.alone {
			t.Errorf("%s: %+v, %d with bytes\n%s%s", reason, o, g.alone.Load(), out, errs)
		}
	}
}

// The gateway is asked once which way its policy has, and not where --way says it.
func TestWayFinder(t *testing.T) {
	for name, c := range map[string]struct {
		flag  string
		err   error
		want  gateway.Way
		asked int
	}{
		"asked":            {"", nil, gateway.Batched, 1},
		"named":            {"direct", nil, gateway.Direct, 0},
		"this one refused": {"", &client.Error{Reason: "KEY_NOT_TRUSTED"}, "", 3},
		"no such call":     {"", &client.Error{Message: "404"}, "", 1},
		"away":             {"", client.ErrConnection, "", 3},
	} {
		asked := 0
		f := &backfillFlags{}
		f.wishes.way = c.flag
		ways := f.newWayFinder(func(context.Context, *pb.SubmissionHeader) (*pb.Plan, error) {
			asked++
			return &pb.Plan{Way: receiptpb.RecordedSignature_BATCHED}, c.err
		})
		for range 3 {
			if got := ways.find(t.Context(), nil); got != c.want {
				t.Errorf("%s: %q", name, got)
			}
		}
		if asked != c.asked {
			t.Errorf("%s: asked %d times", name, asked)
		}
	}
	if !mustSendBytes(&client.Error{Reason: "ALGORITHM_NOT_LOGGABLE"}) || mustSendBytes(&client.Error{Reason: "WEAK_ALGORITHM"}) || mustSendBytes(errors.New("ALGORITHM_NOT_LOGGABLE")) {
		t.Error("what is sent again with its bytes")
	}
}

// A dry run without a gateway says nothing of what depends on the way.
func TestKnownColumns(t *testing.T) {
	var out bytes.Buffer
	p := &backfillPlan{groups: map[planKey]*planGroup{}}
	for _, g := range []planGroup{{State: stateSubmit, Way: "BATCHED", Example: "a"}, {State: stateRefused, Example: "b"}} {
		p.add(planKey{state: g.State}, g)
	}
	if err := p.print(&out, &globals{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SUBMIT   policy          BATCHED  policy  -       a\n", "REFUSED  -               -        -       -       b\n"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
