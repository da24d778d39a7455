#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records a signature over gRPC, and keeps the receipt beside the artifact.

Needs grpcio and what protoc makes of the .proto files, in PYTHONPATH (docs/grpc.md says how).

    submit_grpc.py HOST:PORT SIGNATURE KEY ARTIFACT
"""

import sys

import grpc
from google.rpc import error_details_pb2, status_pb2
from rekorgateway.v1 import gateway_pb2, gateway_pb2_grpc

CHUNK = 256 << 10
OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.lb_policy_name", "round_robin"),
]


def read(name):
    with open(name, "rb") as file:
        return file.read()


def make_messages(signature, key, artifact):
    """Yields the header, and then the artifact as it is read."""
    start = gateway_pb2.SubmitStart(header=gateway_pb2.SubmissionHeader(signature=read(signature), keys=[read(key)]))
    start.wait.FromSeconds(30)
    yield gateway_pb2.SubmitRequest(start=start)
    with open(artifact, "rb") as file:
        while chunk := file.read(CHUNK):
            yield gateway_pb2.SubmitRequest(chunk=chunk)


def explain(error):
    """Returns the gateway's reason and hint."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return f"{info.reason}: {error.details()}\nhint: {info.metadata['hint']}"
    return f"{error.code().name}: {error.details()}"


def main(server, signature, key, artifact):
    with grpc.insecure_channel(server, options=OPTIONS) as channel:
        gateway = gateway_pb2_grpc.GatewayServiceStub(channel)
        submission = gateway.Submit(make_messages(signature, key, artifact), timeout=600).submission
        if submission.state != gateway_pb2.Submission.LOGGED:
            for change in gateway.WatchSubmission(gateway_pb2.WatchSubmissionRequest(id=submission.id), timeout=600):
                submission = change.submission
        if submission.state != gateway_pb2.Submission.LOGGED:
            sys.exit(f"the log refused it: {submission.entries[0].problem.message}")
        with open(artifact + ".receipt.json", "w", encoding="utf-8") as file:
            file.write(submission.receipt_json)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(explain(error))
