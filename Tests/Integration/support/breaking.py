# SPDX-License-Identifier: Apache-2.0
"""A relay between martlet and real servers that breaks the protocol when it is told to.

It also stands in for Patroni: it passes on what Patroni says, with the relay's ports in place of
the servers', so that martlet finds its servers behind it.
"""

import contextlib
import http.server
import json
import socket
import threading

from localcluster.cluster import http as request

MARK = b"break the protocol: "


class Relay:
    """One listening socket in front of one server."""

    def __init__(self, target, breakages):
        self.target = target
        self.breakages = breakages
        self.broken = 0
        self.closed_by_martlet = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Takes no more connections."""
        self.listener.close()

    def _accept(self):
        while True:
            try:
                martlet, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                server = socket.create_connection(("127.0.0.1", self.target))
                state = {"wanted": None, "broken": False}
                for work in (self._forward, self._backward):
                    threading.Thread(
                        target=work, args=(martlet, server, state), daemon=True).start()

    def _forward(self, martlet, server, state):
        with contextlib.suppress(OSError):
            while data := martlet.recv(65536):
                at = data.find(MARK)
                if at >= 0:
                    state["wanted"] = data[at + len(MARK):].split(b"'")[0].decode()
                server.sendall(data)
        if state["broken"]:
            self.closed_by_martlet += 1
        for one in (martlet, server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _backward(self, martlet, server, state):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                wanted, state["wanted"] = state["wanted"], None
                if wanted is None or state["broken"]:
                    martlet.sendall(data)
                    continue
                state["broken"] = True
                self.broken += 1
                changed, goes_on = self.breakages[wanted](data)
                martlet.sendall(changed)
                if not goes_on:
                    martlet.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            martlet.shutdown(socket.SHUT_WR)


class FalsePatroni:
    """Relays in front of every node, and one HTTP server a node that tells of them."""

    def __init__(self, cluster, breakages):
        self.cluster = cluster
        names = cluster.names
        self.relays = [Relay(cluster.port_of(name), breakages) for name in names]
        self.servers = [self._serve(index) for index in range(len(names))]
        self.urls = [f"http://127.0.0.1:{one.server_port}" for one in self.servers]

    def close(self):
        """Ends all of it."""
        for one in self.servers:
            one.shutdown()
            one.server_close()
        for relay in self.relays:
            relay.close()

    @property
    def broken(self):
        """How many connections were broken."""
        return sum(relay.broken for relay in self.relays)

    @property
    def closed(self):
        """How many of them martlet has closed."""
        return sum(relay.closed_by_martlet for relay in self.relays)

    def _serve(self, index):
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Passes a request on to the real Patroni."""

            def do_GET(self):
                """Answers with changed ports."""
                status, body = request(owner.cluster.patroni_url(index) + self.path)
                body = owner.changed(body) if status and self.path == "/cluster" else body
                self.send_response(status or 503)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                """Says nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def changed(self, body):
        """What /cluster says, with the relays' ports."""
        answer = json.loads(body)
        for member in answer["members"]:
            index = self.cluster.names.index(member["name"])
            member["port"] = self.relays[index].port
            member["api_url"] = self.urls[index] + "/patroni"
        return json.dumps(answer)
