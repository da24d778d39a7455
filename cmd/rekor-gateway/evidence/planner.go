// SPDX-License-Identifier: Apache-2.0

// Package evidence chooses what is sent of a signature that verifies here, and says how a gateway would record it.
package evidence

import (
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/planning"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// offlinePlanner plans for a Rekor v2 log, without one.
var offlinePlanner = planning.Planner{Logs: []planning.Acceptor{rekorv2.Acceptor{}}, Attests: true}

// ownPlanner plans for a gateway's own log, without one.
var ownPlanner = planning.Planner{Logs: []planning.Acceptor{recording.Own{}}, Attests: true}

// PlannerOf plans for a way; "" is Direct.
func PlannerOf(way gateway.Way) planning.Planner {
	if way == gateway.Batched {
		return ownPlanner
	}
	return offlinePlanner
}

// NameWay returns "" for a way that is not said.
func NameWay(w receiptpb.RecordedSignature_Way) string {
	if w == receiptpb.RecordedSignature_WAY_UNSPECIFIED {
		return ""
	}
	return w.String()
}
