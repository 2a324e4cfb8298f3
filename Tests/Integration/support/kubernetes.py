# SPDX-License-Identifier: Apache-2.0
"""As much of a Kubernetes API as martlet's watches ask: pods and one ConfigMap, listed and watched."""

import json
import queue
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


class KubernetesAPI:
    """Answers on a loopback port; objects are changed by the test."""

    def __init__(self, port, token):
        self.token = token
        self.lock = threading.Lock()
        self.version = 100
        self.pods = {}
        self.leader = None
        self.watchers = []
        self.requests = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                """A list, or a watch."""
                api.serve(self)

            def log_message(self, *_):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Nobody is there any more; who watches is cut off."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for events in self.watchers:
                events.put(None)

    # What a test does.

    def add(self, name, address="127.0.0.1"):
        """A pod that runs."""
        pod = {"metadata": {"name": name, "uid": str(uuid.uuid4()),
                            "labels": {"application": "patroni", "role": "replica"}},
               "status": {"podIP": address}}
        self.change("ADDED", "pods", pod)

    def terminate(self, name):
        """A pod is told to end."""
        pod = json.loads(json.dumps(self.pods[name]))
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.change("MODIFIED", "pods", pod)

    def delete(self, name):
        """A pod is gone."""
        self.change("DELETED", "pods", self.pods[name])

    def elect(self, name):
        """Patroni's ConfigMap names a leader."""
        self.change("MODIFIED", "configmaps", {
            "metadata": {"name": "pg-leader", "annotations": {"leader": name, "ttl": "30"}}})

    def change(self, kind, resource, thing):
        """Stores an object and tells who watches."""
        with self.lock:
            self.version += 1
            thing["metadata"]["resourceVersion"] = str(self.version)
            if resource == "configmaps":
                self.leader = thing
            elif kind == "DELETED":
                del self.pods[thing["metadata"]["name"]]
            else:
                self.pods[thing["metadata"]["name"]] = thing
            for events in self.watchers:
                if events.resource == resource:
                    events.put({"type": kind, "object": thing})

    # What it answers.

    def serve(self, request):
        """One request."""
        url = urllib.parse.urlsplit(request.path)
        asked = urllib.parse.parse_qs(url.query)
        resource = url.path.rsplit("/", 1)[-1]
        self.requests.append(request.path)
        selector = {"pods": ("labelSelector", "application=patroni"),
                    "configmaps": ("fieldSelector", "metadata.name=pg-leader")}[resource]
        if request.headers["Authorization"] != f"Bearer {self.token}":
            return self.answer(request, 401, {"kind": "Status", "message": "Unauthorized"})
        if asked.get(selector[0]) != [selector[1]]:
            return self.answer(request, 403, {"kind": "Status", "message": "forbidden"})
        if "watch" in asked:
            return self.watch(request, resource, asked["resourceVersion"][0])
        with self.lock:
            items = list(self.pods.values()) if resource == "pods" else [self.leader]
            document = {"kind": "List", "metadata": {"resourceVersion": str(self.version)},
                        "items": [item for item in items if item]}
        return self.answer(request, 200, document)

    def watch(self, request, resource, version):
        """A stream of what changes from now on; a version that is not the newest is gone."""
        events = queue.Queue()
        events.resource = resource
        with self.lock:
            if version != str(self.version):
                events.put({"type": "ERROR", "object": GONE})
                events.put(None)
            self.watchers.append(events)
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        try:
            while event := events.get():
                line = json.dumps(event).encode() + b"\n"
                request.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                request.wfile.flush()
            request.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass
        request.close_connection = True

    @staticmethod
    def answer(request, status, document):
        """One document."""
        body = json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
