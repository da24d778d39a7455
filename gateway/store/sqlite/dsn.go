// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"net/url"
	"time"
)

// defaultPatience is how long a write waits for its turn.
const defaultPatience = 10 * time.Second

// busyTimeout is how long SQLite waits for another process's transaction, in milliseconds. Writes end
// sooner, by Options.Patience.
const busyTimeout = "10000"

// writerDSN starts every transaction with the write lock (BEGIN IMMEDIATE), so that none
// fails half way because another process wrote in between.
func writerDSN(path string) string {
	return buildDSN(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(" + busyTimeout + ")",
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"fullfsync(ON)", // what fsync should mean on macOS
			"foreign_keys(ON)",
			// In KiB. It takes twice that, since the driver gives out memory in powers of two. A larger one saves no processor time:
			// the system has the file in memory, too.
			"cache_size(-16384)",
			"wal_autocheckpoint(8192)",     // pages of 4 KiB
			"journal_size_limit(67108864)", // bytes
		},
	})
}

func readerDSN(path string) string {
	return buildDSN(path, url.Values{
		"_pragma": {
			"busy_timeout(" + busyTimeout + ")",
			"query_only(ON)",
		},
	})
}

// checkpointDSN is for what copies the write-ahead log: it syncs as the writer does.
func checkpointDSN(path string) string {
	return buildDSN(path, url.Values{
		"_pragma": {"busy_timeout(" + busyTimeout + ")", "synchronous(FULL)", "fullfsync(ON)", "query_only(ON)"},
	})
}

// stillDSN is for a file that nobody writes to. Nothing is made beside it, and nothing in it is run.
func stillDSN(path string) string {
	return buildDSN(path, url.Values{
		"mode":      {"ro"},
		"immutable": {"1"},
		"_pragma":   {"query_only(ON)", "trusted_schema(OFF)", "cell_size_check(ON)", "cache_size(-65536)"},
	})
}

// scratchDSN is for a copy that is of no use until it is complete: nothing can be rolled back, nothing
// is durable.
func scratchDSN(path string) string {
	return buildDSN(path, url.Values{"_pragma": {"journal_mode(OFF)", "synchronous(OFF)"}})
}

// aloneDSN is for a copy that nobody else looks at: SQLite needs no file for what it would share.
func aloneDSN(path string) string {
	return buildDSN(path, url.Values{"_pragma": {"locking_mode(EXCLUSIVE)", "synchronous(OFF)"}})
}

// stagingDSN is the writer's for a copy that nobody else opens, but that it stays one file.
func stagingDSN(path string) string {
	return buildDSN(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"journal_mode(DELETE)", "synchronous(FULL)", "fullfsync(ON)", "foreign_keys(ON)", "trusted_schema(OFF)", "cache_size(-65536)"},
	})
}

func buildDSN(path string, query url.Values) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}
