# SPDX-License-Identifier: Apache-2.0
"""For each alert: series that make it fire, and series, as near to them as can be, that do not.

Series are in promtool's notation, a value each step: "0x20" is 0 and then twenty times 0.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """An alert, what it is given, and for which labels it must fire at the end of the time."""

    alert: str
    fires: tuple
    quiet: tuple
    labels: dict
    steps: int
    # Days are not evaluated minute by minute.
    step: str = "1m"


SCOPE = {"namespace": "db", "scope": "pg"}
NAMED = SCOPE | {"name": "pg-1"}
POD = {"namespace": "db", "pod": "martlet-a"}


def series(metric, values, **labels):
    """One series."""
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{metric}{{{text}}}", values


def members(metric, *values):
    """A series for each member pg-0, pg-1, ... of one cluster."""
    return tuple(series(metric, one, **SCOPE, name=f"pg-{number}")
                 for number, one in enumerate(values))


def martlet(metric, *values, **labels):
    """A series for each instance."""
    return tuple(series(metric, one, namespace="db", pod=f"martlet-{letter}", **labels)
                 for letter, one in zip("ab", values))


def simple(alert, metric, fires, quiet, minutes, labels=None):
    """One metric of the member pg-1."""
    return Case(alert, members(metric, quiet, fires), members(metric, quiet, quiet),
                NAMED if labels is None else labels, minutes)


def proxy(alert, metric, fires, quiet, minutes):
    """One metric of the instance martlet-a."""
    return Case(alert, martlet(metric, fires, quiet), martlet(metric, quiet, quiet), POD, minutes)


def cron(metric, values, name):
    """Of kube-state-metrics."""
    return series(metric, values, namespace="db", cronjob=name)


DAY = 24
HPA = {"namespace": "db", "horizontalpodautoscaler": "postgres-readonly"}

CASES = (
    Case("PostgresNoPrimary", members("patroni_primary", "1x2 0x10", "0x12"),
         members("patroni_primary", "1x5 0x7", "0x5 1x7"), SCOPE, 10),
    Case("PostgresSeveralPrimaries", members("patroni_primary", "1x12", "0x4 1x8"),
         members("patroni_primary", "1x12", "0x12"), SCOPE, 10),
    Case("PostgresMetricsMissing", (), members("patroni_primary", "1x12"), {}, 10),
    simple("PostgresNotRunning", "patroni_postgres_running", "1x2 0x40", "1x42", 30),
    Case("PostgresNoStandby", members("patroni_postgres_streaming", "0x30", "1x5 0x25"),
         members("patroni_postgres_streaming", "0x30", "1x30"), SCOPE, 25),
    Case("PostgresNotStreaming",
         members("patroni_replica", "0x40", "1x40")
         + members("patroni_postgres_streaming", "0x40", "0x40"),
         members("patroni_replica", "0x40", "1x40")
         + members("patroni_postgres_streaming", "0x40", "1x40"), NAMED, 30),
    Case("PostgresReplicaLags",
         members("patroni_xlog_location", "900000000x30", "0x30")
         + members("patroni_xlog_replayed_location", "0x30", "600000000x30"),
         members("patroni_xlog_location", "900000000x30", "0x30")
         + members("patroni_xlog_replayed_location", "0x30", "800000000x30"), NAMED, 20),
    simple("PostgresReplayPaused", "patroni_xlog_paused", "1x60", "0x60", 40),
    Case("PostgresTimelinesDiffer", members("patroni_postgres_timeline", "4x30", "3x30"),
         # A member that does not run says 0.
         members("patroni_postgres_timeline", "4x30", "0x30"), SCOPE, 20),
    simple("PostgresFailsafe", "patroni_failsafe_mode_is_active", "1x10", "0x10", 5),
    Case("PostgresUnlocked", members("patroni_cluster_unlocked", "0x10", "1x10"),
         members("patroni_cluster_unlocked", "0x10", "0x10"), SCOPE, 8),
    # The time of a test begins at 0.
    simple("PatroniLostApi", "patroni_dcs_last_seen", "0x10", "0+60x10", 5),
    Case("PatroniPaused", members("patroni_is_paused", "1x90", "1x90"),
         members("patroni_is_paused", "0x90", "0x90"), SCOPE, 80),
    simple("PostgresPendingRestart", "patroni_pending_restart", "1x90", "0x90", 80),
    Case("MartletMissing", (), martlet("martlet_build_info", "1x10"), {}, 8),
    proxy("MartletNoPrimary", "martlet_topology_primary", "0x10", "1x10", 5),
    proxy("MartletHolds", "martlet_held_units", "7x10", "0 7 0x8", 5),
    proxy("MartletClientsWait", "martlet_waiting_clients", "3x20", "0 3 0x18", 10),
    proxy("MartletNoReplica", "martlet_topology_eligible_replicas", "0x30", "1x30", 20),
    Case("MartletErrors", martlet("martlet_errors_total", "0+60x20", cause="wait_timeout"),
         martlet("martlet_errors_total", "0+60x20", cause="shutdown"),
         {"namespace": "db", "cause": "wait_timeout"}, 15),
    Case("MartletBadPasswords", martlet("martlet_logins_total", "0+300x30", result="bad_password"),
         martlet("martlet_logins_total", "0+300x30", result="accepted"), {"namespace": "db"}, 20),
    Case("MartletRefusesClients",
         martlet("martlet_logins_total", "0+1x20", result="too_many_clients"),
         martlet("martlet_logins_total", "5x20", result="too_many_clients"),
         {"namespace": "db"}, 15),
    Case("MartletCannotConnect",
         martlet("martlet_server_connect_errors_total", "0+60x20", node="pg-1"),
         martlet("martlet_server_connect_errors_total", "0+6x20", node="pg-1"),
         {"namespace": "db", "node": "pg-1"}, 15),
    Case("MartletTimelinesDiffer", martlet("martlet_topology_timeline", "5x20", "4x20"),
         # An instance that has just started knows none.
         martlet("martlet_topology_timeline", "5x20", "0x20"), {"namespace": "db"}, 10),
    Case("MartletDescriptors",
         martlet("process_open_fds", "900x20", job="db/martlet")
         + martlet("process_max_fds", "1000x20", job="db/martlet"),
         martlet("process_open_fds", "900x20", job="other")
         + martlet("process_max_fds", "1000x20", job="other"), POD | {"job": "db/martlet"}, 15),
    Case("MartletDoesNotWatch", martlet("martlet_kubernetes_watch_in_sync", "0x30", resource="pods"),
         martlet("martlet_kubernetes_watch_in_sync", "1x30", resource="pods"),
         POD | {"resource": "pods"}, 20),
    Case("PostgresReadersAtMaximum",
         (series("kube_horizontalpodautoscaler_status_current_replicas", "8x60", **HPA),
          series("kube_horizontalpodautoscaler_spec_max_replicas", "8x60", **HPA)),
         (series("kube_horizontalpodautoscaler_status_current_replicas", "7x60", **HPA),
          series("kube_horizontalpodautoscaler_spec_max_replicas", "8x60", **HPA)), HPA, 40),
    # The last good one was at 0; or there never was one since the CronJob was made at 0.
    Case("PostgresBackupTooOld",
         (cron("kube_cronjob_status_last_successful_time", f"0x{2 * DAY}", "postgres-backup"),),
         (cron("kube_cronjob_status_last_successful_time", f"0x{DAY} 86400x{DAY}",
               "postgres-backup"),
          cron("kube_cronjob_created", f"0x{2 * DAY}", "postgres-backup")),
         {"namespace": "db", "cronjob": "postgres-backup"}, 2 * DAY - 1, "1h"),
    Case("PostgresRestoreTestTooOld",
         (cron("kube_cronjob_created", f"0x{9 * DAY}", "postgres-restore-test"),),
         (cron("kube_cronjob_status_last_successful_time", f"{3 * 86400}x{9 * DAY}",
               "postgres-restore-test"),),
         {"namespace": "db", "cronjob": "postgres-restore-test"}, 9 * DAY - 1, "1h"),
    Case("PostgresLogNotArchived",
         (series("kube_deployment_status_replicas_available", "0x30", namespace="db",
                 deployment="postgres-wal"),),
         (series("kube_deployment_status_replicas_available", "0x30", namespace="db",
                 deployment="other"),),
         {"namespace": "db", "deployment": "postgres-wal"}, 20),
    Case("PostgresVolumeFull",
         (series("kubelet_volume_stats_available_bytes", "10x20", namespace="db",
                 persistentvolumeclaim="pgdata-postgres-cluster-0"),
          series("kubelet_volume_stats_capacity_bytes", "100x20", namespace="db",
                 persistentvolumeclaim="pgdata-postgres-cluster-0")),
         (series("kubelet_volume_stats_available_bytes", "10x20", namespace="db",
                 persistentvolumeclaim="somebody-elses"),
          series("kubelet_volume_stats_capacity_bytes", "100x20", namespace="db",
                 persistentvolumeclaim="somebody-elses")),
         {"namespace": "db", "persistentvolumeclaim": "pgdata-postgres-cluster-0"}, 15),
)
