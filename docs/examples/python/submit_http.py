#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records a signature over HTTP, and keeps the receipt beside the artifact. Needs nothing but Python.

    submit_http.py http://HOST:PORT SIGNATURE KEY ARTIFACT
"""

import http.client
import json
import os
import sys
import time
import urllib.parse
import uuid

TRIES = 5


class Refusal(Exception):
    """What a gateway answers in place of what was asked for."""

    def __init__(self, status, problem):
        super().__init__(f"{problem.get('reason', status)}: {problem.get('detail', '')}")
        self.hint = problem.get("hint", "")


def ask(server, method, path, make_body=lambda: None, headers=None):
    """Returns status, headers and body. What failed for now is sent again: it is recorded once all the same."""
    url = urllib.parse.urlsplit(server)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    for left in reversed(range(TRIES)):
        connection = kind(url.netloc, timeout=90)  # more than the gateway waits for the log
        try:
            connection.request(method, path, body=make_body(), headers=headers or {})
            answer = connection.getresponse()
            body = answer.read()
        except OSError:
            if left == 0:
                raise
            time.sleep(2)
            continue
        finally:
            connection.close()
        if answer.status not in (429, 503) or left == 0:
            break
        time.sleep(int(answer.headers.get("Retry-After", 2)))
    if answer.status >= 300:
        try:
            raise Refusal(answer.status, json.loads(body))
        except ValueError:
            raise Refusal(answer.status, {"detail": "this is no gateway"}) from None
    return answer.headers, body


def make_form(files, artifact):
    """Returns the form's headers and a function that makes its body: the artifact comes last, and is read as it is sent."""
    boundary = uuid.uuid4().hex

    def part(name):
        return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()

    head = b"".join(part(name) + content + b"\r\n" for name, content in files) + part("artifact")
    tail = f"\r\n--{boundary}--\r\n".encode()

    def body():
        yield head
        with open(artifact, "rb") as file:
            while chunk := file.read(256 << 10):
                yield chunk
        yield tail

    size = len(head) + os.path.getsize(artifact) + len(tail)
    return {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(size)}, body


def read(name):
    with open(name, "rb") as file:
        return file.read()


def main(server, signature, key, artifact):
    headers, body = make_form([("signature", read(signature)), ("key", read(key))], artifact)
    answered, answer = ask(server, "POST", "/v1/submissions?wait=60s", body, headers)
    submission = json.loads(answer)
    path = "/v1/submissions/" + submission["id"]
    while submission["state"] != "LOGGED":
        if submission["state"] == "FAILED":
            raise Refusal(502, submission["entries"][0]["problem"])
        time.sleep(int(answered.get("Retry-After", 2)))
        answered, answer = ask(server, "GET", path)
        submission = json.loads(answer)
    with open(artifact + ".receipt.json", "wb") as file:
        file.write(ask(server, "GET", path + "/receipt")[1])


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Refusal as refusal:
        sys.exit(f"{refusal}\nhint: {refusal.hint}")
