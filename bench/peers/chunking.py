"""LangChain's splitter by tokens, as its documentation uses it: the documents of bench/sides/chunking.ts."""
import json
import pathlib
import re
import sys
import time

import langchain_text_splitters
import transformers
from importlib.metadata import version

from side import answer

settings = json.loads(sys.argv[1])
tokenizer = transformers.AutoTokenizer.from_pretrained(settings["model"])
splitter = langchain_text_splitters.RecursiveCharacterTextSplitter.from_huggingface_tokenizer(
    tokenizer, chunk_size=settings["maxTokens"], chunk_overlap=0
)


def round_of_work():
    started = time.perf_counter()
    texts = []
    for file in sorted(pathlib.Path(settings["folder"]).rglob("*.txt")):
        texts += splitter.split_text(file.read_text(encoding="utf-8"))
    seconds = time.perf_counter() - started
    return seconds, [sum(len(re.sub(r"\s+", "", text).encode("utf-16-le")) // 2 for text in texts)]


answer(
    round_of_work,
    **{"langchain-text-splitters": version("langchain-text-splitters"), "transformers": transformers.__version__},
)
