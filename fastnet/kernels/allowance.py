"""How many processor cores this process may really use: what the machine has is not what a container was given."""

import math
import os  # and not pathlib, whose own imports would take a sixth of the time of `import fastnet`


def available_cores(root: str | os.PathLike[str] = "/") -> int:
    """The smaller of the scheduler's affinity and the cgroup's CPU quota, rounded up; at least 1.

    Args:
        root: the root of the file system in which to look for /proc and /sys; another one only in tests.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, cgroup_quota(os.fspath(root)))))


def cgroup_quota(root: str = "/") -> float:
    """The cores' worth of time that the process's cgroups allow it, v1 or v2; infinity if nothing limits it.

    A limit holds for the whole subtree, so the strictest one on the way up counts. In a container the path that
    /proc names is often the host's and missing; then the mount's own top is the container's group.
    """
    quota = math.inf
    for controllers, path in _memberships(os.path.join(root, "proc/self/cgroup")):
        if controllers == "":
            mount, read = os.path.join(root, "sys/fs/cgroup"), _quota_v2
        elif "cpu" in controllers.split(","):
            mount, read = os.path.join(root, "sys/fs/cgroup", controllers), _quota_v1
            if not os.path.isdir(mount):
                mount = os.path.join(root, "sys/fs/cgroup/cpu")
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts) + 1):
            quota = min(quota, read(os.path.join(mount, *parts[:depth])))
    return quota


def _memberships(file: str) -> list[tuple[str, str]]:
    """The (controllers, path) pairs of /proc/self/cgroup; the controllers of cgroup v2 are ''."""
    try:
        with open(file) as stream:
            lines = stream.read().splitlines()
    except OSError:
        return []
    fields = [line.split(":", 2) for line in lines]
    return [(f[1], f[2]) for f in fields if len(f) == 3]


def _quota_v2(group: str) -> float:
    """cpu.max is "QUOTA PERIOD" in microseconds, or "max PERIOD"."""
    return _ratio(*_words(os.path.join(group, "cpu.max"), 2))


def _quota_v1(group: str) -> float:
    """A quota of -1 is none."""
    quota, period = (os.path.join(group, name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
    return _ratio(*_words(quota, 1), *_words(period, 1))


def _words(file: str, count: int) -> list[str]:
    try:
        with open(file) as stream:
            words = stream.read().split()
    except (OSError, UnicodeDecodeError):
        return []
    return words[:count]


def _ratio(quota: str = "", period: str = "") -> float:
    if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
        return int(quota) / int(period)
    return math.inf
