"""The Rust tokenizers as transformers uses them: the texts of bench/sides/tokenization.ts."""
import json
import os
import sys

settings = json.loads(sys.argv[1])
os.environ["RAYON_NUM_THREADS"] = str(settings["threads"])
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import tokenizers  # noqa: E402
import transformers  # noqa: E402

from side import answer_with_texts  # noqa: E402

tokenizer = transformers.AutoTokenizer.from_pretrained(settings["model"])
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token


def encode(texts):
    return tokenizer(texts, padding=True, truncation=True, max_length=settings["maxLength"], return_tensors="np")


def values_of(batch):
    real = batch["input_ids"][batch["attention_mask"] == 1]
    return [int(real.size), int(real.sum())]


versions = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
answer_with_texts(settings, encode, values_of, **versions)
