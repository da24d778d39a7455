// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func TestIsTorn(t *testing.T) {
	whole := must(os.ReadFile(offline("x509.receipt.json")))
	for name, c := range map[string]struct {
		raw  []byte
		torn bool
	}{
		"empty": {nil, true}, "zeros": {make([]byte, 100), true}, "cut": {whole[:len(whole)/2], true}, "cut and zeros": {append(bytes.Clone(whole[:9]), 0, 0), true},
		"whole": {whole, false}, "text": {[]byte("hello"), false}, "JSON": {[]byte("{}"), false},
	} {
		if isTorn(c.raw) != c.torn {
			t.Errorf("%s: %v", name, !c.torn)
		}
	}
}

// A file that is larger than any receipt is none that was cut short, whatever it begins with: nothing is sent for what could not be kept in its place.
func TestLargeFileIsNotTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.receipt.json")
	for size, torn := range map[int64]bool{100: true, receipt.MaxSize: true, receipt.MaxSize + 1: false, 1 << 40: false} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
		_, _, err := readKept("", path, nil)
		if isTornFile(path) != torn || errors.Is(err, fs.ErrNotExist) != torn || !torn && formats.ReasonOf(err) == "" {
			t.Errorf("%d bytes: %v, torn: %v", size, err, isTornFile(path))
		}
	}
}

// TestOldReceiptIsNotToBeReplaced: where a trust file is missing, nothing is known to be wrong with a receipt, so that the advice is not to replace it.
func TestOldReceiptIsNotToBeReplaced(t *testing.T) {
	for reason, replaces := range map[formats.Reason]bool{receipt.ReasonNoGatewayTrust: false, receipt.ReasonUnknownLog: true, receipt.ReasonProofInvalid: true} {
		err := explainOldReceipt(backfill.Item{}, "app.receipt.json", formats.NewError(reason, "no", "give the file"))
		f := fault.Describe(err)
		if f.Reason != reason || strings.Contains(f.Hint, "--force") != replaces || !replaces && f.Hint != "give the file" {
			t.Errorf("%s: %+v", reason, f)
		}
	}
}

// TestFetchedReceiptIsNotReplaced: URLs that differ in their queries have one name, so that the receipt of the one is not replaced by that of the other, by force
// least of all.
func TestFetchedReceiptIsNotReplaced(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(offline("."))))
	defer server.Close()
	f := &Options{Which: "all", Force: true, Header: func(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
		return &pb.SubmissionHeader{Signature: signature, Keys: keys}, nil
	}}
	b := &runner{flags: f, judge: newJudge(f, must(loadKeys(t.Context(), []string{offline("x509.pub")})))}
	path := filepath.Join(t.TempDir(), "x509.sig.receipt.json")
	copyFile(t, offline("pgp-rsa3072.receipt.json"), path)
	for query, refused := range map[string]bool{"": false, "?of=1.0": true} {
		item := backfill.Item{Signature: server.URL + "/x509.sig" + query, Name: "x509.sig", Artifact: server.URL + "/artifact"}
		c := must(b.judge.readCandidate(t.Context(), item))
		defer c.close()
		at, err := b.findReceipt(t.Context(), c, place{own: path})
		if refused != (err != nil && fault.Describe(err).Reason == fault.ReasonFileExists) || refused == (at.path == path) {
			t.Errorf("%q: %+v, %v", query, at, err)
		}
		first := offline("x509.receipt.json") // its receipt is there, and came before the other's
		if at, err := b.findReceipt(t.Context(), c, place{own: path, first: first}); refused && (err != nil || at.path != first || at.receipt == nil) {
			t.Errorf("%q, under the first name: %+v, %v", query, at, err)
		}
	}
}

// TestForceKeepsBothReceipts: of two signatures over one file, neither replaces what this run has written of the other, whatever was there before.
func TestForceKeepsBothReceipts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		endings [2]string
		before  string // what the file's receipt was; "" is none
	}{
		"no receipt before":                 {[2]string{".asc", ".sig"}, "no receipt"},
		"signatures of which none is first": {[2]string{".ASC", ".SIG"}, ""},
	} {
		folder := t.TempDir()
		app := filepath.Join(folder, "app")
		copyFile(t, offline("artifact"), app)
		if c.before != "" {
			if err := os.WriteFile(app+backfill.ReceiptSuffix, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f := &Options{Which: "all", Force: true, Header: func(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
			return &pb.SubmissionHeader{Signature: signature, Keys: keys}, nil
		}}
		b := &runner{flags: f, judge: newJudge(f, must(loadKeys(t.Context(), []string{offline("x509.pub"), offline("pgp-ed25519.pub")})))}
		signatures, places, paths := [2]string{"pgp-ed25519", "x509"}, [2]place{}, [2]string{}
		candidates := [2]*candidate{}
		for i, signature := range signatures {
			item := backfill.Item{Signature: app + c.endings[i], Name: "app" + c.endings[i], Artifact: app, Root: folder}
			copyFile(t, offline(signature+".sig"), item.Signature)
			candidates[i] = must(b.judge.readCandidate(t.Context(), item))
			defer candidates[i].close()
			places[i] = must(findPlace(item, ""))
			paths[i] = must(b.findReceipt(t.Context(), candidates[i], places[i])).path
		}
		for i, signature := range signatures {
			r := must(receipt.Unmarshal(must(os.ReadFile(offline(signature + ".receipt.json")))))
			paths[i] = must(b.writeReceipt(t.Context(), candidates[i], r, paths[i], places[i])).path
		}
		for i, path := range paths {
			r, err := receipt.Unmarshal(must(os.ReadFile(path)))
			if err != nil || !bytes.Equal(r.GetSignature().GetContent(), candidates[i].content) {
				t.Errorf("%s: %s has another receipt in it, %v", name, path, err)
			}
		}
	}
}

// TestFreePlace: that nothing was where a receipt goes counts for a moment: an artifact may take hours to verify.
func TestFreePlace(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		found
		want bool
	}{"nobody has looked": {found{}, false}, "now": {found{free: now.Add(time.Hour)}, true}, "long ago": {found{free: now.Add(-goodTime)}, false}} {
		if test.isFree() != test.want {
			t.Errorf("%s: %v", name, !test.want)
		}
	}
}
