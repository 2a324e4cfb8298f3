// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// How many descriptors the process may open.
package enum DescriptorLimit {
    /// Raises the soft limit to the hard one, and returns what holds then.
    ///
    /// The soft limit is often 1024 for the sake of programs that use `select`; martlet does not.
    @discardableResult
    package static func raise() -> Int {
        guard var limit = read() else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = unsafe setrlimit(files, &limit)
        }
        return current
    }

    /// The soft limit that holds now.
    package static var current: Int { Int(clamping: read()?.rlim_cur ?? 1024) }

    /// What so many clients and servers need, with room for probes, logs and listeners.
    package static func needed(clients: Int, servers: Int) -> Int { clients + servers + 128 }

    private static var files: Int32 { Int32(RLIMIT_NOFILE.rawValue) }

    private static func read() -> rlimit? {
        var limit = rlimit()
        return unsafe getrlimit(files, &limit) == 0 ? limit : nil
    }
}
