// SPDX-License-Identifier: Apache-2.0
//
// Generates a client of the gateway from openapi.json, for each content type that submissions are sent as.
const client = (name, contentType) => ({
  input: process.env.OPENAPI,
  output: {
    target: `${process.env.OUT}/${name}.ts`,
    client: "fetch",
    mode: "single",
    baseUrl: process.env.BASE_URL,
    override: { contentType: { include: [contentType] } },
  },
});

module.exports = {
  form: client("form", "multipart/form-data"),
  json: client("json", "application/json"),
};
