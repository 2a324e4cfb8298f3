// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// How many cores this process may use: what `shards: 0` stands for.
///
/// The machine's count is wrong in a container: a quota of two cores on a machine of 64 would give
/// 64 shards that are all throttled together. A quota is rounded down, since a shard that is
/// throttled makes its clients wait for up to a tenth of a second; the rest of a core is not lost
/// but taken by probes, logs and metrics.
package enum GrantedCores {
    /// The count for this process, never below one.
    package static func count() -> Int {
        let allowed = ProcFile.text(at: "/proc/self/status").flatMap(affinity(status:))
        return count(
            affinity: allowed ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)), read: ProcFile.text(at:))
    }

    /// The same over given files, for a given number of cores that the scheduler allows.
    package static func count(affinity: Int, read: (String) -> String?) -> Int {
        guard let quota = quota(read: read) else { return max(1, affinity) }
        return max(1, min(affinity, Int(quota)))
    }

    /// The tightest quota from this process's control group up to the root, in cores.
    static func quota(read: (String) -> String?) -> Double? {
        var quotas: [Double] = []
        for line in (read("/proc/self/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let path = String(parts[2])
            if parts[0] == "0" && parts[1].isEmpty {
                for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
                    quotas += ancestors(of: path).compactMap { unifiedQuota(root + $0, read) }
                }
            } else if parts[1].split(separator: ",").contains("cpu") {
                for root in ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/\(parts[1])"] {
                    quotas += ancestors(of: path).compactMap { legacyQuota(root + $0, read) }
                }
            }
        }
        return quotas.min()
    }

    /// `/a/b`, `/a` and the root. In a container that sees the host's path below a root of its own,
    /// only the root exists, and that is the container's group.
    private static func ancestors(of path: String) -> [String] {
        var parts = path.split(separator: "/")
        var result: [String] = []
        while !parts.isEmpty {
            result.append("/" + parts.joined(separator: "/"))
            parts.removeLast()
        }
        return result + [""]
    }

    /// Version 2: `cpu.max` holds "quota period", or "max period".
    private static func unifiedQuota(_ folder: String, _ read: (String) -> String?) -> Double? {
        let words = (read(folder + "/cpu.max") ?? "").split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]),
            quota > 0, period > 0
        else { return nil }
        return quota / period
    }

    /// Version 1: a file each, and a quota of -1 for none.
    private static func legacyQuota(_ folder: String, _ read: (String) -> String?) -> Double? {
        guard let quota = number(read(folder + "/cpu.cfs_quota_us")),
            let period = number(read(folder + "/cpu.cfs_period_us")), quota > 0, period > 0
        else { return nil }
        return quota / period
    }

    private static func number(_ text: String?) -> Double? {
        (text?.split(whereSeparator: \.isWhitespace).first).flatMap { Double($0) }
    }

    /// Cores on which the scheduler may run this process, from a list such as `0-3,8`.
    static func affinity(status: String) -> Int? {
        let lines = status.split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("Cpus_allowed_list:") }) else {
            return nil
        }
        var count = 0
        for range in line.dropFirst("Cpus_allowed_list:".count).split(separator: ",") {
            let bounds = range.split(whereSeparator: { $0 == "-" || $0.isWhitespace })
            guard let first = bounds.first.flatMap({ Int($0) }),
                let last = bounds.last.flatMap({ Int($0) }), first <= last
            else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }
}
