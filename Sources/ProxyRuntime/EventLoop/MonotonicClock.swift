// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import ProxyCore

/// The clock that the core's instants are read from; the only place that reads it.
package enum MonotonicClock {
    /// `CLOCK_MONOTONIC`: not moved by an operator who sets the time.
    package static var now: Instant {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}
