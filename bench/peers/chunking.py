"""LangChain's splitter by tokens, as its documentation uses it, behind the libraries that its loaders are made of: the
documents of bench/sides/chunking.ts."""
import json
import pathlib
import re
import sys
import time

import bs4
import docx2txt
import langchain_text_splitters
import pypdf
import transformers
from importlib.metadata import version

from side import answer

settings = json.loads(sys.argv[1])
tokenizer = transformers.AutoTokenizer.from_pretrained(settings["model"])
splitter = langchain_text_splitters.RecursiveCharacterTextSplitter.from_huggingface_tokenizer(
    tokenizer, chunk_size=settings["maxTokens"], chunk_overlap=0
)


def text_of(file):
    if file.suffix == ".html":
        return bs4.BeautifulSoup(file.read_text(encoding="utf-8"), "lxml").get_text()
    if file.suffix == ".docx":
        return docx2txt.process(str(file))
    if file.suffix == ".pdf":
        return "\n\n".join(page.extract_text() for page in pypdf.PdfReader(file).pages)
    return file.read_text(encoding="utf-8")


def round_of_work():
    started = time.perf_counter()
    texts = []
    for file in sorted(pathlib.Path(settings["folder"]).iterdir()):
        texts += splitter.split_text(text_of(file))
    seconds = time.perf_counter() - started
    return seconds, [sum(len(re.sub(r"\s+", "", text).encode("utf-16-le")) // 2 for text in texts)]


answer(
    round_of_work,
    **{
        name: version(name)
        for name in ("langchain-text-splitters", "transformers", "beautifulsoup4", "lxml", "docx2txt", "pypdf")
    },
)
