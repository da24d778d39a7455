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
			"cache_size(-65536)",           // KiB
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

func buildDSN(path string, query url.Values) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}
