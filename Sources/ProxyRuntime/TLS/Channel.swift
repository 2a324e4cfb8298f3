// SPDX-License-Identifier: Apache-2.0

/// A socket and, where it is encrypted, its TLS session; for the moments that are not the hot path.
package struct Channel {
    package var socket: Socket
    package var session: TLSSession?

    package init(_ socket: Socket, _ session: TLSSession? = nil) {
        self.socket = socket
        self.session = session
    }

    /// Whether bytes that were sent are still on this side.
    package var hasUnsent: Bool { session?.hasUnsent ?? false }

    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> ReceiveResult {
        guard let session else { return unsafe socket.receive(into: buffer) }
        return unsafe session.receive(from: socket, into: buffer)
    }

    package func send(_ bytes: RawSpan) -> SendResult {
        session?.send(bytes, to: socket) ?? socket.send(bytes)
    }

    /// Says goodbye: the peer reads what was sent, then the end of the stream.
    package func shutDownWriting() {
        session?.sayGoodbye(to: socket)
        socket.shutDownWriting()
    }

    /// Closes an open socket, and does nothing where there is none.
    package func close() {
        guard socket.isOpen else { return }
        session?.sayGoodbye(to: socket)
        socket.close()
    }
}
