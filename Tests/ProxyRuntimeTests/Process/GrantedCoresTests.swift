// SPDX-License-Identifier: Apache-2.0

import ProxyRuntime
import Testing

struct GrantedCoresTests {
    private static func count(_ affinity: Int, _ files: [String: String]) -> Int {
        GrantedCores.count(affinity: affinity) { files[$0] }
    }

    @Test(arguments: [
        ("max 100000", 8), ("400000 100000", 4), ("250000 100000", 2),
        ("50000 100000", 1), ("1600000 100000", 8), ("nonsense", 8), ("", 8),
    ])
    func `the quota of version 2 is rounded down, and the machine is the limit`(
        quota: String, cores: Int
    ) {
        let files = [
            "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": quota + "\n",
        ]
        #expect(Self.count(8, files) == cores)
    }

    @Test func `the tightest group on the way to the root counts`() {
        let files = [
            "/proc/self/cgroup": "0::/kubepods/pod1/box\n",
            "/sys/fs/cgroup/kubepods/pod1/box/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/kubepods/pod1/cpu.max": "300000 100000\n",
            "/sys/fs/cgroup/kubepods/cpu.max": "600000 100000\n",
        ]
        #expect(Self.count(16, files) == 3)
    }

    @Test func `version 1 keeps quota and period in files of their own`() {
        var files = [
            "/proc/self/cgroup": "4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/\n",
            "/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "200000\n",
            "/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
        ]
        #expect(Self.count(16, files) == 2)
        files["/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us"] = "-1\n"
        #expect(Self.count(16, files) == 16)
    }

    @Test func `a container that sees the host's path finds its quota at the root`() {
        let files = [
            "/proc/self/cgroup": "2:cpu:/docker/0123\n",
            "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000",
            "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        ]
        #expect(Self.count(16, files) == 1)
    }

    @Test func `without control groups the scheduler's cores count`() {
        #expect(Self.count(3, [:]) == 3)
        #expect(Self.count(0, [:]) == 1)
    }

    @Test func `this process has at least one core`() {
        #expect(GrantedCores.count() >= 1)
    }
}
