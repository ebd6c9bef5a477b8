"""minilm-embeddings.json: sentence-transformers/all-MiniLM-L6-v2 by PyTorch in fp32; needs the real weights.

    python minilm.py FOLDER_OF_THE_MODEL                  writes the fixture
    python minilm.py FOLDER_OF_THE_MODEL --export OUT     writes OUT-dynamo/ and OUT-script/, exports in transformers.js' layout
"""

import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertModel

from shared import HERE, check_export, export, floats, save_json, sha256

logging.disable(logging.WARNING)
SENTENCES = [
    "Hello",
    "Where did the first flight take place?",
    "The Wright brothers flew the first powered aeroplane at Kitty Hawk, North Carolina, on 17 December 1903.",
    "Café in Zürich, où est la gare? El niño comió una manzana.",
    "東京は日本の首都です。 Привет, мир! 🚀",
    "def mean(xs):\n    return sum(xs) / len(xs)  # raises ZeroDivisionError when empty",
    "A retriever is trained to move each question close to the passage that answers it. " * 8,
    " ".join(f"Paragraph {i}: the river was {i * 37} kilometres long, and in {1900 + i} nobody had measured it." for i in range(40)),
]


def embeddings(source: Path) -> None:
    model = SentenceTransformer(str(source), device="cpu")
    model.max_seq_length = 256
    values = model.encode(SENTENCES, batch_size=len(SENTENCES), convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False)
    alone = np.stack([model.encode([s], convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False)[0] for s in SENTENCES])
    difference = float(np.abs(values - alone).max())
    assert values.dtype == np.float32 and difference < 1e-5
    ids = [model.preprocess([s])["input_ids"][0].tolist() for s in SENTENCES]
    untruncated = [len(model.tokenizer(s, truncation=False)["input_ids"]) for s in SENTENCES]
    assert max(untruncated) > 256 and max(map(len, ids)) == 256
    save_json(HERE / "minilm-embeddings.json", {
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "weightsSha256": sha256(source / "model.safetensors"), "tokenizerSha256": sha256(source / "tokenizer.json"),
        "pooling": "mean over real tokens", "normalized": True, "maxLength": 256,
        "largestDifferenceOneByOne": difference,
        "tokensBeforeTruncation": untruncated,
        "sentences": SENTENCES, "ids": ids, "embeddings": floats(values),
    }, indent=None)
    print("tokens", untruncated, "batch against one by one", difference)


def exports(source: Path, target: str) -> None:
    model = BertModel.from_pretrained(source, add_pooling_layer=False).eval()
    ids = torch.randint(1000, 20000, (3, 10), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    inputs["attention_mask"][1, 6:] = 0
    for name, dynamo, opset in [("dynamo", True, 20), ("script", False, 17)]:
        out = Path(f"{target}-{name}")
        (out / "onnx").mkdir(parents=True, exist_ok=True)
        for file in source.glob("*"):
            if file.suffix in (".json", ".txt"):
                shutil.copy(file, out / file.name)
        shutil.copytree(source / "1_Pooling", out / "1_Pooling", dirs_exist_ok=True)
        path = out / "onnx" / "model.onnx"
        export(model, inputs, path, dynamo, opset)
        print(path, path.stat().st_size, "bytes, max |ONNX Runtime - torch| =", check_export(path, model, inputs))


if __name__ == "__main__":
    if "--export" in sys.argv:
        exports(Path(sys.argv[1]), sys.argv[sys.argv.index("--export") + 1])
    else:
        embeddings(Path(sys.argv[1]))
