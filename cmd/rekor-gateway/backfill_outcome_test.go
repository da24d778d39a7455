// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// outcome is what these tests read of a line of a report.
type outcome struct {
	Name           string         `json:"name"`
	State          string         `json:"state"`
	Reason         formats.Reason `json:"reason"`
	Message        string         `json:"message"`
	Hint           string         `json:"hint"`
	SubmissionID   string         `json:"submissionId"`
	Artifact       string         `json:"artifact"`
	Receipt        string         `json:"receipt"`
	Signers        []string       `json:"signers"`
	Representation string         `json:"representation"`
	Way            string         `json:"way"`
	Listed         []listedFault  `json:"listed"`
	ListedFaults   int            `json:"listedFaults"`
}

type listedFault struct {
	Name   string         `json:"name"`
	Reason formats.Reason `json:"reason"`
}

// planGroup is what they read of a plan's line.
type planGroup struct {
	Count          int64          `json:"count"`
	State          string         `json:"state"`
	Representation string         `json:"representation"`
	Way            string         `json:"way"`
	Asked          bool           `json:"asked"`
	Sends          string         `json:"sends"`
	Reason         formats.Reason `json:"reason"`
	Example        string         `json:"example"`
}

// The states in them.
const (
	stateSubmit  = "SUBMIT"
	stateLogged  = "LOGGED"
	stateDone    = "DONE"
	stateRefused = "REFUSED"
	statePending = "PENDING"
)
