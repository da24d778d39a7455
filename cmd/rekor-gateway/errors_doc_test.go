// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

const errorsPage = "../../docs/errors.md"

// TestErrorReference: docs/errors.md is what the table of reasons says. -update writes it.
func TestErrorReference(t *testing.T) {
	want := formatErrorReference()
	if *update {
		if err := os.WriteFile(errorsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(errorsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/errors.md is not what the table of reasons says: make generate")
	}
}

const errorsHead = `# Errors

<!-- Made by "make generate" from the tables in gateway/api/problem and cmd/rekor-gateway. Do not edit. -->

Every refusal has a reason, which is for programs and never changes its meaning, a message, and most have a hint, which knows more
of the case than this page. Where to find them:

| | reason | message | hint |
|---|---|---|---|
| HTTP (RFC 9457, one line of JSON) | ` + "`reason` | `detail` | `hint`" + ` |
| gRPC | ` + "`ErrorInfo.reason` | the status message | `ErrorInfo.metadata.hint`" + ` |
| ` + "`rekor-gateway …`, on standard error | `REASON: message`; of the reasons of the [command line alone](#of-the-command-line-alone) no more than the message | | `hint: …`" + ` |
| ` + "`rekor-gateway … --output json`, on standard output | `error.reason` | `error.message` | `error.hint`" + ` |

With 429 and 503 nothing was accepted, but with ` + "`NOT_LOGGED_IN_TIME`" + `, and ` + "`Retry-After`" + ` (gRPC: RetryInfo) says when to come back; the seconds stand below.

The command line ends with:

| exit code | when |
|---|---|
| 0 | done; the answer is yes |
| 1 | the answer is no: refused, not verified |
| 2 | wrong usage, or input that cannot be read |
| 3 | some of many were refused |
| 4 | not now: the gateway cannot be reached, the submission is not logged yet |

`

// formatErrorReference returns the page.
func formatErrorReference() string {
	var b strings.Builder
	b.WriteString(errorsHead)
	b.WriteString("| reason | HTTP | gRPC | exit code | when | what to do |\n|---|---|---|---|---|---|\n")
	for _, d := range problem.Describe() {
		status := fmt.Sprint(d.Status)
		if d.RetryAfter > 0 {
			status += fmt.Sprintf(", %.0f s", d.RetryAfter.Seconds())
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %s | %s |\n", d.Reason, status, d.Code, fault.ExitCodeOf(d.Reason), d.When, d.Do)
	}
	b.WriteString("\n## Of the command line alone\n\n| reason | exit code | when | what to do |\n|---|---|---|---|\n")
	for _, reason := range slices.Sorted(maps.Keys(fault.OwnReasons)) {
		own := fault.OwnReasons[reason]
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", reason, own.Exit, own.When, own.Do)
	}
	return b.String()
}

// TestExitCodes holds the contract: what scripts may rely on.
func TestExitCodes(t *testing.T) {
	for reason, want := range map[string]int{
		"WEAK_ALGORITHM": exitNo, "SIGNATURE_INVALID": exitNo, "ARTIFACT_MISMATCH": exitNo, "SIGNER_MISMATCH": exitNo, "PROOF_INVALID": exitNo, "QUORUM_NOT_MET": exitNo,
		"UNKNOWN_GATEWAY_KEY": exitNo, "NOT_FOUND": exitNo, "LOG_REFUSED": exitNo, "SECRET_KEY": exitNo, "HOST_NOT_ALLOWED": exitNo,
		"MALFORMED_SIGNATURE": exitInput, "MISSING_ARTIFACT": exitInput, "UNKNOWN_FORMAT": exitInput, "TOO_LARGE": exitInput,
		"MALFORMED_RECEIPT": exitInput, "NO_EXPECTED_SIGNER": exitInput, "NO_GATEWAY_TRUST": exitInput, "NO_ANCHOR": exitInput, "USAGE": exitInput, "FILE": exitInput,
		"SOME_REFUSED": exitSome,
		"RATE_LIMITED": exitLater, "BUSY": exitLater, "NOT_LOGGED_YET": exitLater, "INTERNAL": exitLater, "REQUEST_TIMEOUT": exitLater,
		"UNREACHABLE": exitLater, "INTERRUPTED": exitLater,
		"STORE_IN_USE": exitLater, "STORE_DAMAGED": exitNo, "STORE_OF_ANOTHER_RELEASE": exitInput, "RESTORE_INTERRUPTED": exitInput, "FILE_EXISTS": exitInput,
		"STORE_MOVED": exitInput, "COPY_UNFINISHED": exitInput, "DATABASE_UNSAFE": exitInput,
		"OUTSIDE_ROOT": exitInput, "MALFORMED_MANIFEST": exitInput, "MALFORMED_LIST": exitInput,
	} {
		found := false
		for _, d := range problem.Describe() {
			if string(d.Reason) == reason {
				found = fault.ExitCodeOf(d.Reason) == want
			}
		}
		for own, o := range fault.OwnReasons {
			if string(own) == reason {
				found = o.Exit == want
			}
		}
		if !found {
			t.Errorf("%s does not end with %d", reason, want)
		}
	}
}
