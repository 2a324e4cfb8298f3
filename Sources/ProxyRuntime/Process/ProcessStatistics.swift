// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import ProxyCore

/// Asks Linux what this process uses.
package enum ProcessStatistics {
    /// The figures of this moment; what cannot be read is zero.
    package static func figures() -> ProcessFigures {
        var figures = ProcessFigures()
        let pages = (ProcFile.text(at: "/proc/self/statm") ?? "").split(separator: " ")
        if pages.count > 1 {
            let size = sysconf(Int32(_SC_PAGESIZE))
            figures.virtualBytes = (Int(pages[0]) ?? 0) * size
            figures.residentBytes = (Int(pages[1]) ?? 0) * size
        }
        // One of them is the descriptor through which they were counted.
        figures.openDescriptors = max(0, (ProcFile.entryCount(in: "/proc/self/fd") ?? 1) - 1)
        figures.maximumDescriptors = DescriptorLimit.current
        figures.cpuSeconds = cpuSeconds()
        figures.startTime = startTime(
            stat: ProcFile.text(at: "/proc/self/stat"), systemStat: ProcFile.text(at: "/proc/stat"),
            ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)))
        return figures
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        guard unsafe getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else { return 0 }
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// Seconds since 1970: the boot time plus field 22 of proc(5)'s `stat`, in ticks.
    static func startTime(stat: String?, systemStat: String?, ticksPerSecond: Int) -> Double {
        guard let stat, let systemStat, ticksPerSecond > 0,
            // The program's name may hold spaces and parentheses; what follows the last one counts.
            let end = stat.lastIndex(of: ")"),
            let boot = systemStat.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootTime = Double(boot.dropFirst("btime ".count))
        else { return 0 }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let ticks = Double(fields[19]) else { return 0 }
        return bootTime + ticks / Double(ticksPerSecond)
    }
}
