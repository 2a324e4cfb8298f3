// SPDX-License-Identifier: Apache-2.0

internal import Glibc

extension Acceptor {
    /// An acceptor for each address that a name stands for; all of them, or none and an error.
    ///
    /// An empty host or `*` is every interface, IPv6 and IPv4. Where the system has no IPv6, names
    /// that also have an IPv4 address do without the other.
    package static func open(
        host: String, port: UInt16,
        troubled: @escaping @Sendable (SocketError) -> Void
    ) throws(SocketError) -> [Acceptor] {
        let isAny = host.isEmpty || host == "*"
        let names = isAny ? ["::", "0.0.0.0"] : [host]
        var opened: [Acceptor] = []
        var missing: SocketError?
        for name in names where !(isAny && !opened.isEmpty) {
            for address in try SocketAddress.resolve(host: name, port: port) {
                do throws(SocketError) {
                    opened.append(try Acceptor(on: address, troubled: troubled))
                } catch .system(_, EAFNOSUPPORT), .system(_, EADDRNOTAVAIL) {
                    missing = .system("bind", EADDRNOTAVAIL)
                } catch {
                    for index in opened.indices { opened[index].close() }
                    throw error
                }
            }
        }
        if opened.isEmpty, let missing { throw missing }
        return opened
    }
}
