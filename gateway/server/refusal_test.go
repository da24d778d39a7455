// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// refusalWays are how curl sends a large form. By itself it asks for 100 Continue above 1 MiB.
var refusalWays = []struct {
	name   string
	secure bool
	flags  []string
}{
	{"plain", false, []string{"-H", "Expect:"}},
	{"plain, 100-continue", false, nil},
	{"TLS, HTTP/1.1", true, []string{"--http1.1", "-H", "Expect:"}},
	{"TLS, HTTP/1.1, 100-continue", true, []string{"--http1.1"}},
	{"TLS, HTTP/2", true, []string{"--http2"}},
}

// refusedRequests are refused at once, once the key is read, and in the middle of the artifact.
var refusedRequests = []struct {
	name, path, reason string
	artifactFirst      bool
}{
	{"path", "/v1/nothing", "NOT_FOUND", false},
	{"key", "/v1/submissions", "MALFORMED_KEY", false},
	{"size", "/v1/submissions", "TOO_LARGE", true},
}

// refusedAbove is the size of artifacts that are too large.
const refusedAbove = 2 << 20

// fullTable is the environment variable that asks for many tries, as make refusals does.
const fullTable = "REKOR_GATEWAY_REFUSALS"

// refusalTries returns how often each size of artifact is sent in each way.
func refusalTries() map[int64]int {
	if os.Getenv(fullTable) != "" {
		return map[int64]int{3 << 20: 200, 64 << 20: 200, 1 << 30: 10}
	}
	return map[int64]int{3 << 20: 12, 64 << 20: 4}
}

// TestRefusalsReachWhoeverIsSending: a refusal is read whole by a client that is still sending its artifact.
func TestRefusalsReachWhoeverIsSending(t *testing.T) {
	dir := t.TempDir()
	plain, secure := newConfig(t), newConfig(t)
	secure.HTTP.TLS, _ = newCertificate(t)
	plain.Limits.MaxArtifactBytes, secure.Limits.MaxArtifactBytes = refusedAbove, refusedAbove
	urls := map[bool]string{false: run(t, plain).Addresses().HTTP, true: run(t, secure).Addresses().HTTP}
	for size, tries := range refusalTries() {
		artifact := filepath.Join(dir, "artifact")
		if err := os.WriteFile(artifact, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(artifact, size); err != nil {
			t.Fatal(err)
		}
		for _, way := range refusalWays {
			for _, request := range refusedRequests {
				arguments := append([]string{"-sS", "-k", "-w", "\n%{http_code}", urls[way.secure] + request.path}, way.flags...)
				if request.artifactFirst {
					arguments = append(arguments, "-F", "artifact=@"+artifact)
				}
				arguments = append(arguments, "-F", "signature=hello", "-F", "key=hello", "-F", "format=x509")
				if !request.artifactFirst {
					arguments = append(arguments, "-F", "artifact=@"+artifact)
				}
				lost := map[string]int{}
				started := time.Now()
				for range tries {
					if problem := tryRefusal(arguments, request.reason); problem != "" {
						lost[problem]++
					}
				}
				name := fmt.Sprintf("%d MiB, %s, %s", size>>20, way.name, request.name)
				t.Logf("%-50s lost %v of %d in %s", name, sum(lost), tries, time.Since(started).Round(time.Millisecond))
				for problem, n := range lost {
					t.Errorf("%s: %d of %d: %s", name, n, tries, problem)
				}
			}
		}
	}
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// tryRefusal returns what is wrong with the answer that curl prints, or "".
func tryRefusal(arguments []string, reason string) string {
	out, err := exec.Command("curl", arguments...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %.200s", err, out)
	}
	body, status, _ := strings.Cut(string(out), "\n\n")
	var problem struct {
		Status int
		Reason string
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil {
		return fmt.Sprintf("no JSON: %.200s", out)
	}
	if problem.Reason != reason || strconv.Itoa(problem.Status) != status {
		return fmt.Sprintf("another answer: %.200s", out)
	}
	return ""
}
