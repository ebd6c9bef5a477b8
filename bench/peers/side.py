"""How a side in Python answers: one line of JSON when it is ready, then one for each line that it reads."""
import json
import platform
import resource
import sys


def ids(count, seed, vocabulary):
    """Token ids as bench/support/Numbers.ts makes them."""
    state = (seed * 2654435761 + 12345) % 2**32
    out = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(1 + int(state / 2**32 * (vocabulary - 1)))
    return out


def answer(round_of_work, **versions):
    """`round_of_work` works one round and returns seconds of a unit of work and the values to compare."""

    def say(value):
        print(json.dumps(value), flush=True)

    say({"versions": {"python": platform.python_version(), **versions}})
    for _ in sys.stdin:
        seconds, values = round_of_work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say({"seconds": seconds, "values": values, "peakMemoryMiB": peak})
