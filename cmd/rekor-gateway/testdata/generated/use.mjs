// SPDX-License-Identifier: Apache-2.0
//
// Uses the clients that were generated from openapi.json: submits the files signature, key and artifact as a form and
// as JSON, and follows the submission. Prints what it got.
import { readFileSync } from "node:fs";
import * as form from "./form.mjs";
import * as json from "./json.mjs";

const [signature, key, artifact] = ["signature", "key", "artifact"].map((name) => readFileSync(name));
const blob = (bytes) => new Blob([bytes]);

const submitted = await form.submit(
  { artifact: blob(artifact), label: ["build=1"], key: [blob(key)], format: "x509", signature: blob(signature) },
  { wait: "30" },
);
const refused = await form.submit({ signature: blob(artifact.subarray(0, 100)), key: [blob(key)], format: "x509", artifact: blob(artifact) });
const again = await json.submit({
  signature: signature.toString("base64url"), keys: [key.toString("base64")], format: "x509", artifact: artifact.toString("base64"), labels: { build: "1" },
});
const one = await json.getSubmission(submitted.data.id);
const list = await json.listSubmissions({ state: "LOGGED", page_size: 10 });
const plan = await form.plan({ signature: blob(signature), key: [blob(key)], format: "x509" });

console.log(JSON.stringify({
  submitted: submitted.status, state: submitted.data.state, label: submitted.data.labels.build, receipt: submitted.data.receipt.submissionId === submitted.data.id,
  refused: refused.status, reason: refused.data.reason, again: again.status, same: again.data.id === submitted.data.id && one.data.id === again.data.id,
  listed: list.data.submissions.length, chosen: plan.data.chosen,
}));
