# SPDX-License-Identifier: Apache-2.0
"""StatefulSets, Deployments and Jobs: as many pods as are wanted, by a loop that looks."""

import copy
import threading
import time


class Workloads(threading.Thread):
    """Keeps the numbers of pods; `wanted` is what kubectl scale changes."""

    def __init__(self, kube, wanted):
        super().__init__(daemon=True)
        self.kube = kube
        self.wanted = dict(wanted)
        self.jobs = {}
        self._ended = threading.Event()
        # One set of controllers at a time, also where a test has failed to end its own.
        kube.end_controllers()
        kube.controllers = self
        self.start()

    def stop(self):
        """Pods stay as they are from now on."""
        self._ended.set()
        self.join(30)

    def run(self):
        while not self._ended.wait(0.3):
            for (kind, name), count in list(self.wanted.items()):
                if kind == "statefulset":
                    self._keep_members(count)
                else:
                    self._keep_replicas(name, count)

    def _keep_members(self, count):
        for pod in self.kube.members("member"):
            if int(pod.name.rsplit("-", 1)[1]) >= count and not pod.terminating:
                self.kube.in_background(pod.delete)
        for index in range(count):
            if f"postgres-cluster-{index}" not in self.kube.pods:
                self.kube.start_member(index)

    def _keep_replicas(self, name, count):
        mine = [p for p in self.pods_of(name) if not p.terminating]
        for pod in mine[count:]:
            self.kube.in_background(pod.delete)
        for _ in range(count - len(mine)):
            self.kube.start_replica(name, "martlet" if name == "martlet" else "patroni")

    def pods_of(self, deployment):
        """Oldest first."""
        return [p for p in list(self.kube.pods.values()) if p.name.startswith(f"{deployment}-")
                and p.name.removeprefix(f"{deployment}-")[:6].isalnum()
                and len(p.name.removeprefix(f"{deployment}-").split("-")) == 2]

    # Jobs.

    def create_job(self, name, template):
        """Runs it to its end; its state is in `jobs`."""
        job = self.jobs[name] = {"metadata": {"name": name}, "status": {}, "log": ""}

        def run():
            code, job["log"] = self.kube.run_to_end(name, template, 300, check=False)
            job["status"] = {"succeeded": 1} if code == 0 else {"failed": 1}
        threading.Thread(target=run, daemon=True).start()

    def job_from(self, cronjob, name):
        """kubectl create job --from=cronjob/..."""
        found = self.kube.manifests.find("CronJob", cronjob)
        self.create_job(name, copy.deepcopy(found["spec"]["jobTemplate"]["spec"]["template"]))

    def wait_job(self, name, seconds=180):
        """Whether it succeeded."""
        deadline = time.time() + seconds
        while not self.jobs[name]["status"]:
            assert time.time() < deadline, f"{name} does not end"
            time.sleep(0.3)
        return "succeeded" in self.jobs[name]["status"]
