// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A backup is a folder with these two files.
const (
	// BackupFile is the store as it was at one moment: a SQLite file that needs no other.
	BackupFile = "store.db"
	// ManifestFile says in JSON what BackupFile has in it, and its SHA-256.
	ManifestFile = "manifest.json"
)

const (
	manifestVersion = 1
	maxManifest     = 1 << 20 // bytes
)

// Manifest says what a backup is. It is not signed: it shows damage, and not what somebody
// has altered on purpose.
type Manifest struct {
	Version int `json:"version"` // of the manifest's form
	// CreateTime is when the backup was begun, by the clock of the machine: all that was accepted before is in
	// it.
	CreateTime    time.Time `json:"createTime"`
	Program       string    `json:"program"`       // the release that wrote it
	SchemaVersion int64     `json:"schemaVersion"` // of the tables
	Size          int64     `json:"size"`          // bytes of BackupFile
	SHA256        string    `json:"sha256"`        // of BackupFile, in hex
	Content
}

// Content counts what a store has in it.
type Content struct {
	Incarnation string           `json:"incarnation"` // gateway.Incarnation's ID of the last opening, "" for none
	Submissions int64            `json:"submissions"`
	Entries     EntryCounts      `json:"entries"`
	Checkpoints []CheckpointSize `json:"checkpoints"` // ordered by origin and key
	Forks       int64            `json:"forks"`
}

// EntryCounts counts entries by their state.
type EntryCounts struct {
	Pending int64 `json:"pending"`
	InDoubt int64 `json:"inDoubt"` // of the pending ones
	Logged  int64 `json:"logged"`
	Failed  int64 `json:"failed"`
}

// CheckpointSize is the size of a checkpoint that is kept.
type CheckpointSize struct {
	Origin string `json:"origin"`
	KeyID  string `json:"keyId"` // in hex, "" where it is not known
	Size   uint64 `json:"size"`
}

// isEqual reports whether both count the same.
func (c Content) isEqual(other Content) bool {
	return c.Incarnation == other.Incarnation && c.Submissions == other.Submissions && c.Entries == other.Entries &&
		c.Forks == other.Forks && slices.Equal(c.Checkpoints, other.Checkpoints)
}

// parseManifest reads a manifest strictly.
func parseManifest(raw []byte) (m Manifest, err error) {
	var form struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &form); err != nil {
		return m, err
	}
	if form.Version > manifestVersion {
		return m, fmt.Errorf("%w: the manifest is of version %d, this one knows %d", ErrVersion, form.Version, manifestVersion)
	}
	dec := json.NewDecoder(bytes.NewReader(raw)) // nothing follows: form was read from all of it
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, err
	}
	if digest, err := hex.DecodeString(m.SHA256); err != nil || len(digest) != 32 || m.Size <= 0 || m.Version < 1 || m.SchemaVersion < 1 {
		return Manifest{}, errors.New("version, schemaVersion, size or sha256 is missing")
	}
	if m.Checkpoints == nil {
		m.Checkpoints = []CheckpointSize{}
	}
	return m, nil
}

// readManifest reads that of the backup in folder. What is wrong with it is ErrDamaged.
func readManifest(folder string) (Manifest, error) {
	f, err := os.Open(filepath.Join(folder, ManifestFile))
	if err != nil {
		return Manifest{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return Manifest{}, err
	}
	if len(raw) > maxManifest {
		return Manifest{}, fmt.Errorf("%w: %s is too large", ErrDamaged, ManifestFile)
	}
	m, err := parseManifest(raw)
	if err != nil && !errors.Is(err, ErrVersion) {
		err = fmt.Errorf("%w: reading %s: %w", ErrDamaged, ManifestFile, err)
	}
	return m, err
}

// encodeManifest returns m as it is written.
func encodeManifest(m Manifest) ([]byte, error) {
	raw, err := json.MarshalIndent(m, "", "  ")
	return append(raw, '\n'), err
}

// writeManifest writes it durably, but for its name.
func writeManifest(folder string, m Manifest) error {
	raw, err := encodeManifest(m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(folder, ManifestFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close())
}
