// SPDX-License-Identifier: Apache-2.0

package container

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func pack(t testing.TB, k Kind, content []byte) []byte {
	t.Helper()
	if k == Gzip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(content)
		_ = w.Close()
		return b.Bytes()
	}
	cmd := exec.Command("xz", "-c", "-T2", "--block-size=65536")
	cmd.Stdin = bytes.NewReader(content)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("xz: %v (make system-tools installs it)", err)
	}
	return out
}

func TestReader(t *testing.T) {
	content := []byte(strings.Repeat("release notes\n", 20_000))
	for _, k := range []Kind{Gzip, XZ} {
		packed := pack(t, k, content)
		for name, src := range map[string]io.Reader{
			"whole": bytes.NewReader(packed), "by bytes": iotest.OneByteReader(bytes.NewReader(packed)),
			"with EOF": iotest.DataErrReader(bytes.NewReader(packed)),
		} {
			r := NewReader(k, src, int64(len(content)))
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s, %s: %d bytes, %v", k, name, len(got), err)
			}
			if want := sha256.Sum256(packed); !bytes.Equal(r.Digest().Value, want[:]) {
				t.Errorf("%s, %s: the digest is not the container's", k, name)
			}
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	content := []byte(strings.Repeat("release notes\n", 2_000))
	for _, k := range []Kind{Gzip, XZ} {
		packed := pack(t, k, content)
		altered := bytes.Clone(packed)
		altered[len(altered)/2] ^= 1
		for name, c := range map[string]struct {
			src  []byte
			max  int64
			want formats.Reason
		}{
			"empty":               {nil, 1 << 20, ReasonMalformedContainer},
			"something else":      {[]byte("hello, this is no container at all"), 1 << 20, ReasonMalformedContainer},
			"cut":                 {packed[:len(packed)-5], 1 << 20, ReasonMalformedContainer},
			"altered":             {altered, 1 << 20, ReasonMalformedContainer},
			"a byte after":        {append(bytes.Clone(packed), 'x'), 1 << 20, formats.ReasonTrailingData},
			"zeros after":         {append(bytes.Clone(packed), 0, 0, 0, 0), 1 << 20, formats.ReasonTrailingData},
			"twice":               {append(bytes.Clone(packed), packed...), 1 << 20, formats.ReasonTrailingData},
			"larger than allowed": {packed, int64(len(content)) - 1, formats.ReasonTooLarge},
		} {
			_, err := io.ReadAll(NewReader(k, bytes.NewReader(c.src), c.max))
			if formats.ReasonOf(err) != c.want {
				t.Errorf("%s, %s: %v, want %s", k, name, err, c.want)
			}
		}
	}
}

func TestBombs(t *testing.T) {
	for _, k := range []Kind{Gzip, XZ} {
		bomb := pack(t, k, make([]byte, 64<<20))
		n, err := io.Copy(io.Discard, NewReader(k, bytes.NewReader(bomb), 1<<40))
		if formats.ReasonOf(err) != ReasonContainerTooDense || n > 2*ratioFrom {
			t.Errorf("%s: %d bytes, %v", k, n, err)
		}
	}
}

func TestSourceError(t *testing.T) {
	broken := errors.New("broken")
	packed := pack(t, Gzip, []byte(strings.Repeat("x", 1000)))
	src := io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(broken))
	if _, err := io.ReadAll(NewReader(Gzip, src, 1<<20)); !errors.Is(err, broken) || formats.ReasonOf(err) != "" {
		t.Errorf("got %v", err)
	}
}

// Whatever the bytes, reading ends, stays within the limit, and says why in words.
func FuzzReader(f *testing.F) {
	for _, k := range []Kind{Gzip, XZ} {
		f.Add(k == XZ, pack(f, k, []byte("hello")))
	}
	f.Fuzz(func(t *testing.T, isXZ bool, src []byte) {
		k := Gzip
		if isXZ {
			k = XZ
		}
		const limit = 1 << 16
		got, err := io.ReadAll(NewReader(k, bytes.NewReader(src), limit))
		if err != nil && formats.ReasonOf(err) == "" {
			t.Fatalf("no typed refusal: %v", err)
		}
		if err == nil && len(got) > limit {
			t.Fatalf("%d bytes", len(got))
		}
	})
}
