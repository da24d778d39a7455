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

// Detect returns the format that recognises signature. Errors have ReasonUnknownFormat or,
// for an empty signature, ReasonMissingSignature.
func (r *Registry) Detect(signature []byte) (Format, error) {
	if len(signature) == 0 {
		return nil, NewError(ReasonMissingSignature, "the signature is empty", "send the signature file's content")
	}
	for _, f := range r.list {
		if f.Detect(signature) {
			return f, nil
		}
	}
	return nil, NewError(ReasonUnknownFormat, "the signature is in no format this gateway recognises",
		"name the format if you know it: "+strings.Join(r.Names(), ", "))
}

// Parse finds the format (by name, or by detection when name is empty) and parses. When the
// named format refuses bytes that another one recognises, the error says which
// (ReasonWrongFormat). All that is tried is charged to one account, that of ctx if it has one.
func (r *Registry) Parse(ctx context.Context, name string, signature []byte, keys [][]byte, p Policy) (Parsed, error) {
	ctx = EnsureWork(ctx)
	f, err := r.lookupFormat(name, signature)
	if err != nil {
		return nil, err
	}
	parsed, err := f.Parse(ctx, signature, keys, p)
	if err == nil {
		return parsed, nil
	}
	if name != "" && !f.Detect(signature) {
		err = r.nearMiss(ctx, err, name, signature, keys, p)
	}
	return nil, err
}

// nearMiss returns what to say of a signature that the named format refused with err and does
// not recognise. That a private key was sent comes before anything else, and the format that
// the signature is of may be the only one to know its private keys.
func (r *Registry) nearMiss(ctx context.Context, err error, name string, signature []byte, keys [][]byte, p Policy) error {
	switch ReasonOf(err) {
	case ReasonSecretKey, ReasonTooLarge, ReasonTooMuchWork, "": // the last is ctx's own
		return err
	}
	other, derr := r.Detect(signature)
	if derr != nil {
		return err
	}
	what := other.Name()
	parsed, perr := other.Parse(ctx, signature, keys, p)
	switch reason := ReasonOf(perr); {
	case reason == ReasonSecretKey, perr != nil && reason == "":
		return perr
	case perr == nil:
		what += " (" + parsed.Describe().Variant + ")"
	}
	return WrapError(err, ReasonWrongFormat, fmt.Sprintf("this is a signature of the format %s, sent as %s", what, name),
		"send it with format="+other.Name()+" or without a format")
}

func (r *Registry) lookupFormat(name string, signature []byte) (Format, error) {
	if name == "" {
		return r.Detect(signature)
	}
	return r.Get(name)
}
