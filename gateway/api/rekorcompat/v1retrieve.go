// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
	"github.com/rekor-gateway/rekor-gateway/gateway/tufrecord"
)

// MaxQueries bounds what is asked for at once, as the log's server does.
const MaxQueries = 10

var (
	errQueries = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("more than %d entries are asked for", MaxQueries), "ask for fewer at once")
	errQuery   = problem.Malformed("the body is not a query of entries", "send entryUUIDs, logIndexes or entries, each a list, as rekor-cli verify does")
	// errNotAsProposed: nothing of it is looked for, since another entry would not be the one that the client means.
	errNotAsProposed = formats.NewError(formats.ReasonUnsupportedFeature, "the entry of such a signature is not the one that is proposed (of a PGP key, for one, it has less), and cannot be found by it",
		"verify by --uuid or --log-index, as upload and search tell them, or verify the receipt: rekor-gateway verify")
	errX509Rekord = formats.NewError(formats.ReasonUnsupportedFeature, "an X.509 signature is recorded as a hashedrekord, and cannot be found by a rekord",
		"verify it as --type hashedrekord, with the same artifact, signature and public key; what is recorded as the gateway's statement, as of an Ed25519 key, by --uuid")
)

// queries are what a client asks for: entries by their index, or by their ID.
type queries struct {
	ids     []rekorjson.ID
	indexes []int64
}

// ServeRetrieve takes POST /api/v1/log/entries/retrieve. What the log does not have is left out.
func (v *V1) ServeRetrieve(w http.ResponseWriter, r *http.Request) error {
	body, err := v.uploads.ReadLongJSON(r, http.NewResponseController(w), false)
	if err != nil {
		return err
	}
	q, err := v.readQueries(formats.EnsureWork(r.Context()), body)
	if err != nil {
		return err
	}
	log, err := v.log()
	if err != nil {
		return err
	}
	reader := V1Reader(log)
	if together, ok := log.(togetherLog); ok {
		if reader, err = together.readTogether(len(q.ids) + len(q.indexes)); err != nil {
			return err
		}
	}
	found := []rekorjson.Entries{}
	add := func(id rekorjson.ID, e rekorjson.Entry, err error) error {
		if err == nil {
			found = append(found, rekorjson.Entries{id.String(): e})
			err = gateway.HeldFrom(r.Context()).Grow(answerMemory)
		}
		if errors.Is(err, gateway.ErrNotFound) {
			return nil
		}
		return explainRead(err)
	}
	for _, id := range q.ids {
		if err := add(reader.EntryByID(r.Context(), id)); err != nil {
			return err
		}
	}
	for _, index := range q.indexes {
		if err := add(reader.EntryByIndex(r.Context(), index)); err != nil {
			return err
		}
	}
	return writeV1(w, http.StatusOK, found)
}

// togetherLog is a V1Log whose reads are bounded.
type togetherLog interface {
	// readTogether returns what so many entries are read with, once all of the reads are granted. Were each asked for by itself, clients who ask for many would use up
	// the reads of all without ever being answered.
	readTogether(n int) (V1Reader, error)
}

// readQueries reads a body, and closes it.
func (v *V1) readQueries(ctx context.Context, body *upload.LongJSON) (q queries, err error) {
	defer body.Close()
	r := proposalReader{body: body, dec: body.Decoder()}
	err = r.readObject(members{
		"entryUUIDs": func() error { return r.readList(func() error { return r.readID(&q) }) },
		"logIndexes": func() error { return r.readList(func() error { return r.readIndex(&q) }) },
		"entries":    func() error { return r.readList(func() error { return v.readProposed(ctx, r, &q) }) },
	}, func(name string) error {
		return problem.Malformed("there is no member "+problem.QuoteName(name), "send entryUUIDs, logIndexes or entries")
	})
	if err == nil {
		err = r.readEnd()
	}
	if err == nil && len(q.ids)+len(q.indexes) == 0 {
		err = errQuery
	}
	if err != nil && formats.ReasonOf(err) == "" {
		err = explainProposal(err)
	}
	return q, err
}

// readList reads a list of at most MaxQueries, or null.
func (r proposalReader) readList(read func() error) error {
	switch r.dec.PeekKind() {
	case jsontext.KindNull:
		return r.dec.SkipValue()
	case jsontext.KindBeginArray:
	default:
		return r.wrongKind()
	}
	n := 0
	return r.readUntil(jsontext.KindEndArray, func() error {
		if n++; n > MaxQueries {
			return errQueries
		}
		return read()
	})
}

// add adds what is asked for, of at most MaxQueries.
func (q *queries) add(id *rekorjson.ID, index int64) error {
	if len(q.ids)+len(q.indexes) == MaxQueries {
		return errQueries
	}
	if id != nil {
		q.ids = append(q.ids, *id)
	} else {
		q.indexes = append(q.indexes, index)
	}
	return nil
}

func (r proposalReader) readID(q *queries) error {
	var text string
	if err := r.readText(&text); err != nil {
		return err
	}
	id, err := rekorjson.ParseID(text)
	if err != nil {
		return errV1ID
	}
	return q.add(&id, 0)
}

func (r proposalReader) readIndex(q *queries) error {
	if r.dec.PeekKind() != jsontext.KindNumber {
		return r.wrongKind()
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(token.String(), 10, 64)
	if err != nil || index < 0 {
		return errV1Index
	}
	return q.add(nil, index)
}

// readProposed reads what is asked for by what would be proposed: the log has it under the hash of what it would make of that.
func (v *V1) readProposed(ctx context.Context, r proposalReader, q *queries) error {
	p, err := r.readProposal()
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return err
	}
	var body []byte
	switch p.kind {
	case kindHashedRekord:
		body, err = p.canonicalBody()
	case kindRekord:
		body, err = p.canonicalRekord(ctx, v.cfg.Service.Formats())
	case kindTUF:
		if body, err = nil, errNotAsProposed; !isLate(v.cfg.Log()) { // a facade of Rekor v2 has no entry of that kind
			body, err = p.canonicalTUF(ctx, v.cfg.Service.Formats())
		}
	default:
		err = errNotAsProposed
	}
	if err != nil {
		return err
	}
	return q.add(&rekorjson.ID{Leaf: hashedrekord.LeafHash(body)}, 0)
}

// canonicalRekord returns the entry that the log makes of a rekord, of a format that is recorded so here.
func (p *proposal) canonicalRekord(ctx context.Context, registry *formats.Registry) ([]byte, error) {
	if p.format == formatName {
		return nil, errX509Rekord
	}
	if p.format == formatPGP { // which is not looked at
		return nil, errNotAsProposed
	}
	parsed, err := registry.Parse(ctx, p.format, p.signature, [][]byte{p.key}, formats.Policy{Now: time.Now()})
	if err != nil {
		return nil, err
	}
	return p.rekordOf(parsed.Describe())
}

// formatPGP is the format of whose keys the log is sent less than what is proposed, at best.
const formatPGP = "pgp"

// rekordOf returns the entry that the log makes of a rekord, whose signature was read as described. The error is errNotAsProposed where it makes none.
func (p *proposal) rekordOf(d formats.Description) ([]byte, error) {
	if p.kind != kindRekord || p.format == formatPGP || d.Whole == nil || len(d.Findings) > 0 {
		return nil, errNotAsProposed
	}
	body, err := rekord.Body(rekord.Record{Whole: *d.Whole, Digest: p.content.sha256()})
	if err != nil {
		return nil, errNotAsProposed
	}
	return body, nil
}

// canonicalTUF returns the entry that the log makes of metadata and its root, where it takes them.
func (p *proposal) canonicalTUF(ctx context.Context, registry *formats.Registry) ([]byte, error) {
	parsed, err := registry.Parse(ctx, kindTUF, p.metadata, [][]byte{p.root}, formats.Policy{Now: time.Now()})
	if err != nil {
		return nil, err
	}
	whole := parsed.Describe().Whole
	if whole == nil {
		return nil, errNotAsProposed
	}
	body, err := tufrecord.Body(*whole)
	if err != nil {
		return nil, errNotAsProposed
	}
	return body, nil
}

// canonicalBody returns the entry that the log makes of a hashedrekord.
func (p *proposal) canonicalBody() ([]byte, error) {
	digest, err := p.digest()
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(p.key)
	if block == nil {
		return nil, formats.NewError(formats.ReasonMalformedKey, "the key is not in PEM", "send the public key or the certificate as openssl writes it")
	}
	type of map[string]any
	body, err := json.Marshal(of{ // whose names are sorted, and whose texts need no escapes
		"kind": kindHashedRekord, "apiVersion": versionV1, "spec": of{
			"data":      of{"hash": of{"algorithm": digest.Algorithm, "value": fmt.Sprintf("%x", digest.Value)}},
			"signature": of{"content": p.signature, "publicKey": of{"content": pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})}},
		},
	})
	if err != nil {
		return nil, err
	}
	if _, err := hashedrekord.RekorV1.Parse(body); err != nil {
		return nil, formats.WrapError(err, formats.ReasonAlgorithmNotLoggable, "this is no hashedrekord as Rekor v1 has it", "send the signature, the digest that it is over and the signer's key or certificate")
	}
	return body, nil
}
