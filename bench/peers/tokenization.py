"""The Rust tokenizers as transformers uses them: the texts of bench/sides/tokenization.ts."""
import json
import os
import sys
import time

settings = json.loads(sys.argv[1])
os.environ["RAYON_NUM_THREADS"] = str(settings["threads"])
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import tokenizers  # noqa: E402
import transformers  # noqa: E402

from side import answer  # noqa: E402

tokenizer = transformers.AutoTokenizer.from_pretrained(settings["model"])
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token
with open(settings["texts"]) as file:
    texts = [json.loads(line) for line in file]
done = 0


def encode():
    global done
    part = settings["part"]
    batch = texts[done * part : (done + 1) * part]
    done += 1
    return tokenizer(batch, padding=True, truncation=True, max_length=settings["maxLength"], return_tensors="np")


def round_of_work():
    started = time.perf_counter()
    batch = encode()
    seconds = time.perf_counter() - started
    real = batch["input_ids"][batch["attention_mask"] == 1]
    return seconds, [int(real.size), int(real.sum())]


encode()
answer(round_of_work, tokenizers=tokenizers.__version__, transformers=transformers.__version__)
