// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"context"
	"fmt"
	"strings"
)

// Registry is the set of formats a program knows. It is immutable and safe for concurrent use.
type Registry struct{ list []Format }

// NewRegistry returns a registry of list, in that order. It panics when two share a name:
// that is a mistake in the program.
func NewRegistry(list ...Format) *Registry {
	seen := map[string]bool{}
	for _, f := range list {
		if seen[f.Name()] {
			panic("formats: registered twice: " + f.Name())
		}
		seen[f.Name()] = true
	}
	return &Registry{list: list}
}

// All returns the formats in registration order; the slice must not be changed.
func (r *Registry) All() []Format { return r.list }

// Names returns the formats' names in registration order.
func (r *Registry) Names() []string {
	names := make([]string, len(r.list))
	for i, f := range r.list {
		names[i] = f.Name()
	}
	return names
}

// Get returns the format called name. Errors have ReasonUnknownFormat.
func (r *Registry) Get(name string) (Format, error) {
	for _, f := range r.list {
		if f.Name() == name {
			return f, nil
		}
	}
	return nil, NewError(ReasonUnknownFormat, fmt.Sprintf("there is no format called %.40q", name),
		"use one of: "+strings.Join(r.Names(), ", "))
}

// Parse finds the format (by name, or by detection when name is empty) and parses. Before that, private keys
// are refused, and what stands around signature and keys is taken off (see textlayer). When the
// named format refuses bytes that another one recognises, the error says which
// (ReasonWrongFormat). All that is tried is charged to one account, that of ctx if it has one.
func (r *Registry) Parse(ctx context.Context, name string, signature []byte, keys [][]byte, p Policy) (Parsed, error) {
	ctx = EnsureWork(ctx)
	in, err := openInput(ctx, signature, keys)
	if err != nil {
		return nil, err
	}
	f, err := r.lookupFormat(ctx, name, in, p)
	if err != nil {
		return nil, err
	}
	if err := p.checkFormat(f.Name()); err != nil {
		return nil, err
	}
	parsed, err := f.Parse(ctx, in.signature, in.keys, p.openKeys(f.Name()))
	if err == nil {
		err = p.checkParsed(parsed)
	}
	if err == nil {
		return parsed, nil
	}
	if name != "" && !f.Detect(in.signature) {
		err = r.nearMiss(ctx, err, name, in, p)
	}
	return nil, err
}

// nearMiss returns what to say of a signature that the named format refused with err and does
// not recognise. That a private key was sent comes before anything else, and the format that
// the signature is of may be the only one to know its private keys.
func (r *Registry) nearMiss(ctx context.Context, err error, name string, in input, p Policy) error {
	switch ReasonOf(err) {
	case ReasonSecretKey, ReasonTooLarge, ReasonTooMuchWork, "": // the last is ctx's own
		return err
	}
	other := r.recognise(in.signature)
	if other == nil {
		return err
	}
	what := other.Name()
	parsed, perr := other.Parse(ctx, in.signature, in.keys, p.openKeys(other.Name()))
	switch reason := ReasonOf(perr); {
	case reason == ReasonSecretKey, perr != nil && reason == "":
		return perr
	case perr == nil:
		what += " (" + parsed.Describe().Variant + ")"
	}
	return errWrongFormat(err, what, name, other)
}

// recognise returns the format that knows signature by itself, or nil.
func (r *Registry) recognise(signature []byte) Format {
	for _, f := range r.list {
		if f.Detect(signature) {
			return f
		}
	}
	return nil
}
