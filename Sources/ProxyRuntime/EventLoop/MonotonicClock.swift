// SPDX-License-Identifier: Apache-2.0

internal import CLinux
package import ProxyCore

/// The clock that the core's instants are read from; the only place that reads it.
package enum MonotonicClock {
    /// `CLOCK_MONOTONIC`: not moved by an operator who sets the time.
    package static var now: Instant { Instant(martlet_monotonic()) }
}
