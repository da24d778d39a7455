// SPDX-License-Identifier: Apache-2.0

package witness_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness"
)

// cosigner signs checkpoints as of any time.
type cosigner struct {
	name, key string // of the verifier
	hash      uint32
	private   ed25519.PrivateKey
}

func newCosigner(t testing.TB, name string) cosigner {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return nameCosigner(t, name, public, private)
}

func nameCosigner(t testing.TB, name string, public ed25519.PublicKey, private ed25519.PrivateKey) cosigner {
	t.Helper()
	s, err := torchwood.NewCosignatureSigner(name, private)
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("%s+%08x+%s", name, s.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{4}, public...)))
	return cosigner{name, key, s.KeyHash(), private}
}

// line returns the cosignature of a note's text (https://c2sp.org/tlog-cosignature).
func (c cosigner) line(text string, at time.Time) string {
	signature := ed25519.Sign(c.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), text))
	raw := binary.BigEndian.AppendUint32(nil, c.hash)
	raw = append(binary.BigEndian.AppendUint64(raw, uint64(at.Unix())), signature...)
	return "— " + c.name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

func checkpointOf(origin string, size int, root byte) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(append(make([]byte, 31), root)))
}

// TestPolicy: only cosignatures of the policy's witnesses over this very checkpoint count, each once, and as of a time that can be.
func TestPolicy(t *testing.T) {
	a, b, c, stranger := newCosigner(t, "a.test"), newCosigner(t, "b.test"), newCosigner(t, "c.test"), newCosigner(t, "stranger.test")
	fake := newCosigner(t, "a.test") // of that name, with another key
	fakeHash := fake
	fakeHash.hash = a.hash // and with a's hash
	signer, logKey, err := note.GenerateKey(rand.Reader, "log.test")
	if err != nil {
		t.Fatal(err)
	}
	_, otherKey, err := note.GenerateKey(rand.Reader, "other.test")
	if err != nil {
		t.Fatal(err)
	}
	log, err := note.NewSigner(signer)
	if err != nil {
		t.Fatal(err)
	}
	names := fmt.Sprintf("witness A %s\nwitness B %s # a comment\nwitness C %s\n", a.key, b.key, c.key)
	two := names + "group Q 2 A B C\nquorum Q\n"
	anyOf, all := names+"group Q any A B C\nquorum Q\n", names+"group Q all A B C\nquorum Q\n"
	text, other := checkpointOf("log.test", 7, 1), checkpointOf("log.test", 7, 2)
	elsewhere := checkpointOf("else.test", 7, 1)
	now := time.Unix(1_800_000_000, 0).UTC()
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	sign := func(text string) string {
		signed, err := note.Sign(&note.Note{Text: text}, log)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	signed := sign(text)
	for name, test := range map[string]struct {
		policy, checkpoint string
		by                 time.Time // zero: not met
		witnesses          string
	}{
		"two of three":                    {two, signed + a.line(text, at(-9)) + b.line(text, at(-5)), at(-5), "a.test b.test"},
		"three of three, of which two do": {two, signed + a.line(text, at(-9)) + b.line(text, at(-5)) + c.line(text, at(-7)), at(-7), "a.test c.test"},
		"any":                             {anyOf, signed + a.line(text, at(-3)) + b.line(text, at(-5)), at(-5), "b.test"},
		"all":                             {all, signed + a.line(text, at(-3)) + b.line(text, at(-5)) + c.line(text, at(-4)), at(-3), "b.test c.test a.test"},
		"not all":                         {all, signed + a.line(text, at(-3)) + b.line(text, at(-5)), time.Time{}, ""},
		"one":                             {two, signed + a.line(text, at(-9)), time.Time{}, ""},
		"none":                            {two, signed, time.Time{}, ""},
		"one of them twice":               {two, signed + a.line(text, at(-9)) + a.line(text, at(-8)), time.Time{}, ""},
		"a stranger":                      {two, signed + a.line(text, at(-9)) + stranger.line(text, at(-9)), time.Time{}, ""},
		"another key":                     {two, signed + b.line(text, at(-9)) + fake.line(text, at(-9)), time.Time{}, ""},
		"another key with the same hash":  {two, signed + b.line(text, at(-9)) + fakeHash.line(text, at(-9)), time.Time{}, ""},
		"on another root":                 {two, signed + a.line(text, at(-9)) + b.line(other, at(-9)), time.Time{}, ""},
		"of another origin":               {two, signed + a.line(text, at(-9)) + b.line(elsewhere, at(-9)), time.Time{}, ""},
		"of the future":                   {two, signed + a.line(text, at(-9)) + b.line(text, now.Add(formats.ClockSkew+time.Second)), time.Time{}, ""},
		"of a clock that is ahead":        {two, signed + a.line(text, at(-9)) + b.line(text, now.Add(formats.ClockSkew)), now.Add(formats.ClockSkew), "a.test b.test"},
		"of no time":                      {two, signed + a.line(text, at(-9)) + b.line(text, time.Unix(0, 0)), time.Time{}, ""},
		"of a time before all":            {two, signed + a.line(text, at(-9)) + b.line(text, time.Unix(-5, 0)), time.Time{}, ""},
		"cut off":                         {two, signed + a.line(text, at(-9)) + strings.TrimSuffix(b.line(text, at(-9)), "\n"), time.Time{}, ""},
		"no checkpoint":                   {two, "", time.Time{}, ""},
		"of the log that is named":        {"log " + logKey + "\n" + two, signed + a.line(text, at(-9)) + b.line(text, at(-5)), at(-5), "a.test b.test"},
		"of one of the logs":              {"log " + otherKey + "\nlog " + logKey + " https://log.test\n" + two, signed + a.line(text, at(-9)) + b.line(text, at(-5)), at(-5), "a.test b.test"},
		"of another log":                  {"log " + otherKey + "\n" + two, signed + a.line(text, at(-9)) + b.line(text, at(-5)), time.Time{}, ""},
		"not by the log that is named":    {"log " + logKey + "\n" + two, text + "\n" + a.line(text, at(-9)) + b.line(text, at(-5)), time.Time{}, ""},
		"of a log by another name":        {"log " + logKey + "\n" + two, sign(elsewhere) + a.line(elsewhere, at(-9)) + b.line(elsewhere, at(-5)), time.Time{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := witness.ParsePolicy([]byte(test.policy))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.CheckCosigned([]byte(test.checkpoint), now)
			if (err == nil) == test.by.IsZero() || !got.By.Equal(test.by) || strings.Join(got.Witnesses, " ") != test.witnesses {
				t.Errorf("%+v, %v; want %v by %s", got, err, test.by, test.witnesses)
			}
		})
	}
}

// TestPolicyOfNobody: a policy without a quorum asks for the log's signature alone, and gives no time.
func TestPolicyOfNobody(t *testing.T) {
	a := newCosigner(t, "a.test")
	p, err := witness.ParsePolicy([]byte("witness A " + a.key + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	text := checkpointOf("log.test", 7, 1)
	if got, err := p.CheckCosigned([]byte(text+"\n"+a.line(text, time.Now())), time.Now()); err != nil || !got.By.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestPolicyBlankLines: a policy is read the same whatever its lines end with, and whatever blank lines hold.
func TestPolicyBlankLines(t *testing.T) {
	a := newCosigner(t, "a.test")
	text, now := checkpointOf("log.test", 7, 1), time.Unix(1_800_000_000, 0)
	for _, policy := range []string{
		"# mine\r\n\r\nwitness A " + a.key + "\r\n\r\nquorum A\r\n",
		"\u00a0\nwitness A " + a.key + "\n\fquorum A\n\f\n\v\n\u2003",
	} {
		p, err := witness.ParsePolicy([]byte(policy))
		if err != nil {
			t.Errorf("%q: %v", policy, err)
			continue
		}
		if got, err := p.CheckCosigned([]byte(text+"\n"+a.line(text, now)), now); err != nil || !got.By.Equal(now) {
			t.Errorf("%q: %+v, %v", policy, got, err)
		}
		if _, err := p.CheckCosigned([]byte(text+"\n"), now); err == nil {
			t.Errorf("%q is met by nobody", policy)
		}
	}
}

// TestBadPolicy: what is no policy, or counts a witness twice, is refused.
func TestBadPolicy(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, again, b := nameCosigner(t, "a.test", public, private), nameCosigner(t, "again.test", public, private), newCosigner(t, "b.test")
	_, logKey, err := note.GenerateKey(rand.Reader, "log.test")
	if err != nil {
		t.Fatal(err)
	}
	_, large, err := cosign.GenerateMLDSAKey("large.test")
	if err != nil {
		t.Fatal(err)
	}
	names := "witness A " + a.key + "\nwitness B " + b.key + "\n"
	deep := "group g0 any A\n"
	for i := range 90 {
		deep += fmt.Sprintf("group g%d all g%d g%d\n", i+1, i, i)
	}
	for name, bad := range map[string]string{
		"nothing":                     "",
		"no quorum":                   names,
		"two quorums":                 names + "quorum A\nquorum B\n",
		"unknown quorum":              names + "quorum C\n",
		"unknown member":              names + "group Q any A C\nquorum Q\n",
		"group before its members":    "group Q any A B\n" + names + "quorum Q\n",
		"more than there are":         names + "group Q 3 A B\nquorum Q\n",
		"none of them":                names + "group Q 0 A B\nquorum Q\n",
		"no keyword":                  names + "quorum A\nhello\n",
		"key of a log as witness":     "witness A " + logKey + "\nquorum A\n",
		"key of a witness as log":     "log " + a.key + "\n" + names + "quorum A\n",
		"one key by two names":        "witness A " + a.key + "\nwitness B " + again.key + "\ngroup Q all A B\nquorum Q\n",
		"one witness twice":           "witness A " + a.key + "\nwitness B " + a.key + "\ngroup Q all A B\nquorum Q\n",
		"one name twice":              names + "witness A " + b.key + "\nquorum A\n",
		"a member twice":              names + "group Q 2 A A B\nquorum Q\n",
		"a member of two groups":      names + "group P any A\ngroup Q any A\ngroup R all P Q\nquorum R\n",
		"deep groups":                 names + deep + "quorum g90\n",
		"a key of a type not read":    "witness A " + large + "\nquorum A\n",
		"an argument that is lacking": "witness A\nquorum A\n",
		"words after a quorum":        names + "quorum A and more\n",
		"words after no quorum":       "quorum none of them\n",
		"words after a witness":       names + "witness C " + newCosigner(t, "c.test").key + " https://c.test B\nquorum A\n",
		"words after a log":           "log " + logKey + " https://log.test " + logKey + "\n" + names + "quorum A\n",
		"a log without a key":         "log\n" + names + "quorum A\n",
		"a quorum of no name":         names + "quorum\n",
		"a group of nobody":           names + "group Q any\nquorum A\n",
		"a witness called none":       "witness none " + a.key + "\nquorum none\n",
		"a group called none":         names + "group none all A B\nquorum none\n",
		"a witness called any":        "witness any " + a.key + "\nquorum any\n",
		"a group called all":          names + "group all any A B\nquorum all\n",
		"a member called none":        names + "group Q any A none\nquorum Q\n",
		"too many lines":              strings.Repeat("log "+logKey+"\n", 300) + names + "quorum A\n",
		"too large":                   strings.Repeat("#\n", witness.MaxPolicy) + names + "quorum A\n",
	} {
		if _, err := witness.ParsePolicy([]byte(bad)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// FuzzPolicy: what is read takes bounded time and memory, and nothing that no witness has signed meets a quorum.
func FuzzPolicy(f *testing.F) {
	a, b := newCosigner(f, "a.test"), newCosigner(f, "b.test")
	names := "witness A " + a.key + "\nwitness B " + b.key + "\n"
	text := checkpointOf("log.test", 7, 1)
	for _, policy := range []string{
		names + "group Q 2 A B\nquorum Q\n", names + "quorum A", "quorum none", "log x\n" + names + "group G any A\ngroup H all G B\nquorum H\r\n",
		"# mine\r\n\r\n" + names + "\r\nquorum A\r\n", names + "\u00a0\n\f\nquorum A\n",
	} {
		f.Add([]byte(policy), []byte(text+"\n"+a.line(text, time.Unix(1_700_000_000, 0))))
	}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, policy, checkpoint []byte) {
		begun := time.Now()
		p, err := witness.ParsePolicy(policy)
		if err != nil {
			return
		}
		got, err := p.CheckCosigned(checkpoint, now)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if (err != nil || len(got.Witnesses) == 0) && !got.By.IsZero() || got.By.After(now.Add(formats.ClockSkew)) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
