// SPDX-License-Identifier: Apache-2.0
//
// Records a signature over gRPC, and keeps the receipt beside the artifact.
//
//     node submit.mjs PROTOS HOST:PORT SIGNATURE KEY ARTIFACT
//
// PROTOS is the folder that the .proto files are in. Before: npm ci.

import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const [protos, server, signature, key, artifact] = process.argv.slice(2);
if (!artifact) {
  console.error('usage: node submit.mjs PROTOS HOST:PORT SIGNATURE KEY ARTIFACT');
  process.exit(2);
}

const definition = loadSync(['rekorgateway/v1/gateway.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
  { includeDirs: [protos], enums: String, longs: String, bytes: Buffer, defaults: true, oneofs: true });
const { GatewayService } = grpc.loadPackageDefinition(definition).rekorgateway.v1;
const gateway = new GatewayService(server, grpc.credentials.createInsecure(), {
  'grpc.max_receive_message_length': 64 << 20,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
});
const tenMinutes = () => ({ deadline: Date.now() + 600_000 });

/** Makes the header, and then the artifact as it is read. */
async function* makeMessages() {
  yield { start: { header: { signature: readFileSync(signature), keys: [readFileSync(key)] }, wait: { seconds: 30 } } };
  for await (const chunk of createReadStream(artifact, { highWaterMark: 256 << 10 })) yield { chunk };
}

/** Resolves with the gateway's one answer, which may come before all is sent. */
function submit() {
  return new Promise((resolve, reject) => {
    const call = gateway.Submit(tenMinutes(), (error, answer) => (error ? reject(error) : resolve(answer.submission)));
    // A stream holds back when the gateway does.
    pipeline(Readable.from(makeMessages()), call).catch((error) => { if (error.syscall) reject(error); });
  });
}

/** Resolves with the submission once it is settled. */
async function awaitLog(submission) {
  if (submission.state === 'LOGGED' || submission.state === 'FAILED') return submission;
  for await (const change of gateway.WatchSubmission({ id: submission.id }, tenMinutes())) submission = change.submission;
  return submission;
}

/** Returns the gateway's reason and hint. */
function explain(error) {
  const [status] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const details = status ? definition['google.rpc.Status'].deserialize(status).details : [];
  const info = details.find((d) => d.type_url.endsWith('/google.rpc.ErrorInfo') || d['@type']?.endsWith('/google.rpc.ErrorInfo'));
  if (!info) return String(error);
  const { reason, metadata } = info.value ? definition['google.rpc.ErrorInfo'].deserialize(info.value) : info;
  return `${reason}: ${error.details}\nhint: ${metadata.hint}`;
}

try {
  const submission = await awaitLog(await submit());
  if (submission.state !== 'LOGGED') throw new Error(`the log refused it: ${submission.entries[0].problem.message}`);
  writeFileSync(`${artifact}.receipt.json`, submission.receiptJson);
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
} finally {
  gateway.close();
}
