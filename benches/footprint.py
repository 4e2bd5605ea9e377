#!/usr/bin/env python3
"""How soon a release build of host-one is ready, and how much memory it holds.

    cargo build --release -p host-one && python3 benches/footprint.py

Prints the time from start to the ready line (median of five), the resident size of the serving process then, and the
largest resident size of the tour, in which host, embedded AM and all clients are one process.
"""
import os, pathlib, resource, signal, statistics, subprocess, tempfile, time

program = pathlib.Path(__file__).resolve().parent.parent / "target" / "release" / "host-one"


def start(folder):
    begun = time.monotonic()
    host = subprocess.Popen(
        [program, "serve", "--listen", "127.0.0.1:0", "--am-listen", "127.0.0.1:0"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = host.stdout.readline()
    taken = time.monotonic() - begun
    assert line.startswith("host-one ready: "), line
    status = pathlib.Path(f"/proc/{host.pid}/status").read_text()
    resident = next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS"))
    host.send_signal(signal.SIGTERM)
    assert host.wait(20) == 0, host.returncode
    return taken, resident


with tempfile.TemporaryDirectory() as folder:
    runs = [start(folder) for _ in range(5)]
    print(f"ready after        {statistics.median(taken for taken, _ in runs) * 1000:7.0f} ms   (at most 1000)")
    print(f"resident when idle {statistics.median(kib for _, kib in runs) / 1024:7.1f} MiB")

before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
subprocess.run([program, "tour"], check=True, stdout=subprocess.DEVNULL)
after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f"resident, tour     {max(before, after) / 1024:7.1f} MiB  (at most 60; the largest of all runs)")
