"""How a side in Python answers: one line of JSON when it is ready, then one for each line that it reads."""
import json
import platform
import re
import resource
import sys
import time


def uniforms(count, seed):
    """Numbers in [0, 1) as bench/support/Numbers.ts makes them."""
    state = (seed * 2654435761 + 12345) % 2**32
    out = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state / 2**32)
    return out


def ids(count, seed, vocabulary):
    """Token ids as bench/support/Numbers.ts makes them."""
    return [1 + int(value * (vocabulary - 1)) for value in uniforms(count, seed)]


def peak_memory():
    """The process' peak of resident memory so far in MiB, where the system tells it without that of its parent."""
    try:
        with open("/proc/self/status") as file:
            return int(re.search(r"^VmHWM:\s+(\d+) kB$", file.read(), re.MULTILINE)[1]) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_lines(file):
    """The values of a file of JSON lines."""
    with open(file) as lines:
        return [json.loads(line) for line in lines]


def answer(round_of_work, **versions):
    """`round_of_work` works one round and returns seconds of a unit of work and the values to compare."""

    def say(value):
        print(json.dumps(value), flush=True)

    say({"versions": {"python": platform.python_version(), **versions}, "peakMemoryMiB": peak_memory()})
    for _ in sys.stdin:
        seconds, values = round_of_work()
        say({"seconds": seconds, "values": values, "peakMemoryMiB": peak_memory()})


def answer_with_texts(settings, encode, values_of, **versions):
    """Encodes one part of the texts, then the next part in each round; `values_of` makes the values to compare."""
    texts, part = read_lines(settings["texts"]), settings["part"]
    parts = (texts[start : start + part] for start in range(0, len(texts), part))

    def round_of_work():
        texts_of_round = next(parts)
        started = time.perf_counter()
        encoded = encode(texts_of_round)
        return time.perf_counter() - started, values_of(encoded)

    round_of_work()
    answer(round_of_work, **versions)
