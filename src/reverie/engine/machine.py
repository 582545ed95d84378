"""What this machine can do: cores that are really free, bf16, memory that is kept, devices."""

import ctypes
import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

from reverie.errors import UsageError


def allowed_cores() -> int:
    """Cores this process may use: affinity and the control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def _busy_and_total() -> tuple[int, int]:
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def free_cores(seconds: float = 0.3) -> int:
    """Cores that nobody else is using, at least one.

    Two busy threads on a loaded machine were seen ten times slower than one.

    Args:
        seconds: how long the load is watched.
    """
    cores = allowed_cores()
    with suppress(OSError, ValueError, IndexError):
        busy, total = _busy_and_total()
        time.sleep(seconds)
        busy_after, total_after = _busy_and_total()
        share = (busy_after - busy) / max(1, total_after - total)
        free = (1 - share) * (os.cpu_count() or cores)
        return max(1, min(cores, int(free + 0.4)))
    return cores


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 matrices faster than fp32, by its instruction set."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_tile"))


def pick_device(name: str) -> torch.device:
    """The device of a name; ``auto`` takes a GPU where there is one.

    Raises:
        UsageError: the device is not there.
    """
    cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "cpu")
    if name == "cpu" or (name == "cuda" and cuda):
        return torch.device(name)
    raise UsageError(f"--device {name}: there is no such device here; use --device cpu or leave it out.")


def keep_freed_memory() -> None:
    """Let the C library keep freed blocks for the next step instead of returning them to the system.

    Activations of a few megabytes are otherwise mapped, zeroed and unmapped in each step.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, mmap_threshold = -1, -3  # <malloc.h>
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_threshold, 32 << 20)
    libc.mallopt(trim_threshold, 2**31 - 1)


def return_freed_memory() -> None:
    """Give back to the system what was kept so far; later blocks are kept as before."""
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def describe(device: torch.device) -> str:
    """The device in words, for a run's record."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    with suppress(OSError, IndexError):
        line = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
        return f"{line.split(':', 1)[1].strip()}, {allowed_cores()} cores"
    return f"{platform.machine()}, {allowed_cores()} cores"
