"""Freed memory is used again without asking the system for it."""

import subprocess
import sys

#: Takes and frees the memory of 16 answers, twenty times; prints how often the system had to find a page for it.
JOB = """
import resource
from airflow_provider_interactions import memory
if {keep}:
    memory.keep()
for n in range(20):
    if n == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [bytearray(b"x" * 500_000) for _ in range(16)]
    del kept
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keep):
    job = [sys.executable, "-c", JOB.format(keep=keep)]
    return int(subprocess.run(job, check=True, capture_output=True, text=True).stdout)


def test_memory_is_kept():
    assert faults(keep=True) < faults(keep=False) / 10
