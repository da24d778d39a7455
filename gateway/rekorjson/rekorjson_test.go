// SPDX-License-Identifier: Apache-2.0

package rekorjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

func TestID(t *testing.T) {
	leaf := strings.Repeat("0a", 32)
	for text, tree := range map[string]int64{leaf: 0, "0000000000000001" + leaf: 1, "7fffffffffffffff" + leaf: 1<<63 - 1, "108e9186e8c5677a" + leaf: 1193050959916656506} {
		id, err := rekorjson.ParseID(text)
		if err != nil || id.Tree != tree || id.String() != text {
			t.Errorf("%s: %v %v", text, id, err)
		}
	}
	for _, text := range []string{"", leaf[1:], leaf + "0", "8000000000000000" + leaf, "0000000000000000" + leaf, strings.Replace(leaf, "0", "g", 1), "0x" + leaf[2:]} {
		if _, err := rekorjson.ParseID(text); !errors.Is(err, rekorjson.ErrID) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Lists are never absent.
func TestLogInfo(t *testing.T) {
	raw, err := json.Marshal(rekorjson.LogInfo{TreeInfo: rekorjson.TreeInfo{TreeID: "7", TreeSize: 1}})
	if want := `{"rootHash":"","signedTreeHead":"","treeID":"7","treeSize":1,"inactiveShards":[]}`; err != nil || string(raw) != want {
		t.Errorf("%s %v", raw, err)
	}
}
