# SPDX-License-Identifier: Apache-2.0
"""A small Kubernetes API: pods and ConfigMaps of one namespace, over TLS.

What its clients rely on is here and strict: tokens (401), the rendered Roles (403), versions (409,
410), watches with selectors. What they do not use is not: no other resources, no admission, no
field management. Every request is recorded, so that tests can say who asked for what.
"""

import json
import re
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .store import Refusal, selects

PATH = re.compile(r"^/api/v1/namespaces/([^/]+)/([a-z]+)(?:/([^/]+))?$")


@dataclass
class Request:
    """One request, as it was answered."""

    account: str
    verb: str
    resource: str
    name: str
    code: int
    moment: float


class Api:
    """The server; `store` has the objects, `rights` says who may do what."""

    def __init__(self, store, rights, address, certificate, key):
        self.store, self.rights = store, rights
        # ServiceAccount by token.
        self.tokens = {}
        self.requests = []
        # None, "hang" (accepts and does not answer) or "refuse" (ends every connection).
        self.outage = None
        self._server = _Server(address, _Handler)
        self._server.api = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake belongs to the connection's own thread: who connects and says nothing
        # must not stop the others.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def refused(self, account=None):
        """What was forbidden."""
        return [r for r in list(self.requests)
                if r.code == 403 and account in (None, r.account)]

    def set_outage(self, kind):
        """Begins or ends (None) an outage; watches feel it at once."""
        self.outage = kind
        with self.store.changed:
            self.store.changed.notify_all()

    def stop(self):
        """Ends all connections."""
        self.set_outage("refuse")
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    api = None

    def handle_error(self, request, client_address):
        """Clients that go away are no errors of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 300

    def setup(self):
        self.request.settimeout(10)
        self.request.do_handshake()
        super().setup()

    @property
    def api(self):
        return self.server.api

    def log_message(self, format, *arguments):
        pass

    def do_GET(self):
        self._answer("get")

    def do_POST(self):
        self._answer("create")

    def do_PUT(self):
        self._answer("update")

    def do_PATCH(self):
        self._answer("patch")

    def do_DELETE(self):
        self._answer("delete")

    def _answer(self, verb):
        if not self._is_up():
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        record = Request("", verb, "", "", 200, time.time())
        try:
            call = self._admit(record, body)
            if record.verb == "watch":
                self.api.requests.append(record)
                self._watch(*call)
                return
            answer = self._perform(record, body, call)
        except Refusal as refusal:
            record.code, answer = refusal.code, refusal.status
        self.api.requests.append(record)
        # An outage may have begun meanwhile: then what was done stays done, unanswered.
        if self._is_up():
            self._send(record.code, answer)

    def _admit(self, record, body):
        """Who asks for what; (resource, matches, query)."""
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        record.account = self.api.tokens.get(token, "")
        if not record.account:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        found = PATH.match(url.path)
        if not found:
            record.resource = url.path
            raise self._forbidden(record, "default")
        namespace, record.resource, name = found.groups()
        record.name = name or self._selected_name(query)
        if record.verb == "get" and not name:
            record.verb = "watch" if query.get("watch") in ("true", "True", "1") else "list"
        if record.verb == "delete" and not name:
            record.verb = "deletecollection"
        # As the API server does: a create is not of a name, whatever is in its body.
        asked = "" if record.verb == "create" else record.name
        if not self.api.rights.allows(
                record.account, record.verb, record.resource, asked, namespace):
            raise self._forbidden(record, namespace)
        if record.resource not in ("pods", "configmaps"):
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        if body is not None and record.verb == "create":
            record.name = body["metadata"]["name"]
        return record.resource, self._matcher(query), query

    @staticmethod
    def _selected_name(query):
        found = re.fullmatch(r"metadata\.name=([^,]+)", query.get("fieldSelector", ""))
        return found.group(1) if found else ""

    @staticmethod
    def _forbidden(record, namespace):
        return Refusal(
            403, "Forbidden",
            f'{record.resource} "{record.name}" is forbidden: User "{record.account}" cannot '
            f'{record.verb} resource "{record.resource}" in the namespace "{namespace}"')

    def _matcher(self, query):
        name = self._selected_name(query)
        if query.get("fieldSelector") and not name:
            raise Refusal(400, "BadRequest", "field selector is not supported")

        def matches(item):
            meta = item["metadata"]
            return (not name or meta["name"] == name) and selects(
                query.get("labelSelector"), meta.get("labels") or {})
        return matches

    def _perform(self, record, body, call):
        store, resource, name = self.api.store, record.resource, record.name
        if record.verb == "get":
            return store.get(resource, name)
        if record.verb == "list":
            version, items = store.list(resource, call[1])
            kind = {"pods": "PodList", "configmaps": "ConfigMapList"}[resource]
            return {"kind": kind, "apiVersion": "v1", "items": items,
                    "metadata": {"resourceVersion": str(version)}}
        if record.verb == "create":
            record.code = 201
            return store.create(resource, body)
        if record.verb == "update":
            return store.replace(resource, name, body)
        if record.verb == "patch":
            wanted = ("application/merge-patch+json", "application/strategic-merge-patch+json")
            if self.headers.get("Content-Type") not in wanted:
                raise Refusal(415, "UnsupportedMediaType", "the patch is of another type")
            return store.patch(resource, name, body)
        store.delete(resource, name)
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _send(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _is_up(self):
        """Waits out a hanging outage; then, and when refusing, the connection ends."""
        if self.api.outage is None:
            return True
        while self.api.outage == "hang":
            time.sleep(0.2)
        self.close_connection = True
        return False

    def _watch(self, resource, matches, query):
        store = self.api.store
        version = int(query.get("resourceVersion") or 0) or store.revision
        until = time.time() + float(query.get("timeoutSeconds") or 1800)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        while time.time() < until and self._is_up():
            try:
                version, changes = store.since(resource, version)
            except Refusal as refusal:
                self._chunk({"type": "ERROR", "object": refusal.status})
                break
            for before, after in changes:
                event = _event(before, after, matches)
                if event:
                    self._chunk(event)
            with store.changed:
                if store.revision == version and self.api.outage is None:
                    store.changed.wait(5)
        if self.api.outage is None:
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, event):
        data = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


def _event(before, after, matches):
    """What a watch with a selector sees of a change."""
    was = before is not None and matches(before)
    if after is None:
        return {"type": "DELETED", "object": before} if was else None
    if matches(after):
        return {"type": "MODIFIED" if was else "ADDED", "object": after}
    if was:
        # As the last that matched, but of the version that does not any more.
        gone = json.loads(json.dumps(before))
        gone["metadata"]["resourceVersion"] = after["metadata"]["resourceVersion"]
        return {"type": "DELETED", "object": gone}
    return None
