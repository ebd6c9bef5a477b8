"""sentence-transformers-tiny/: the bert-tiny weights as sentence-transformers saves a model, and its embeddings."""

import logging
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as models
from tokenizers import Tokenizer

from shared import HERE, floats, folder, save_json
from tokenizer import build, write

logging.disable(logging.WARNING)
PROMPTS = {"query": "query: ", "document": "passage: "}
SENTENCES = [
    "Where did the first flight take place?",
    "The Wright brothers flew the first powered aeroplane at Kitty Hawk on 17 December 1903.",
    "Café in Zürich",
    "The capital of France is Paris, and the capital of Germany is Berlin, and nobody asked where the capital was, nor why.",
    "",
    "東京 は 日本 の 首都 です。",
]
LEGACY = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]


def main() -> None:
    path = folder("sentence-transformers-tiny")
    vocabulary = path / "vocab.txt"
    tokenizer = build(120, None if "--retrain" in sys.argv else vocabulary)
    assert tokenizer.get_vocab_size() == 120

    with tempfile.TemporaryDirectory() as name:
        base = Path(name) / "base"
        base.mkdir()
        for file in ("config.json", "model.safetensors"):
            shutil.copy(HERE / "bert-tiny" / file, base / file)
        write(tokenizer, base, 32)
        transformer = models.Transformer(str(base), max_seq_length=32)
        model = SentenceTransformer(
            modules=[transformer, models.Pooling(32, "mean"), models.Normalize()], prompts=PROMPTS, device="cpu",
        )
        saved = Path(name) / "saved"
        model.save(str(saved), create_model_card=False)
        for file in ("config.json", "model.safetensors"):
            shutil.copy(HERE / "bert-tiny" / file, saved / file)  # as saved they hold a pooler of random weights, unused
        write(tokenizer, saved, 32)
        shutil.copytree(saved, path, dirs_exist_ok=True)
    for file in path.rglob("*"):
        if file.is_file():
            file.chmod(0o644)

    for mode in ("mean", "cls"):
        models.Pooling(32, mode).save(str(path / "1_Pooling"))
        shutil.move(path / "1_Pooling" / "config.json", path / f"pooling-{mode}.json")
        legacy = {"word_embedding_dimension": 32}
        legacy |= {f"pooling_mode_{key}": key.startswith(mode) and key != "mean_sqrt_len_tokens" for key in LEGACY}
        save_json(path / f"pooling-{mode}-legacy.json", legacy | {"include_prompt": True}, indent=2)
    shutil.copy(path / "pooling-mean.json", path / "1_Pooling" / "config.json")

    model = SentenceTransformer(str(path), device="cpu")
    reader = Tokenizer.from_file(str(path / "tokenizer.json"))
    reader.enable_truncation(32)
    options = {"convert_to_numpy": True, "batch_size": 6, "show_progress_bar": False}
    golden = {
        "sentences": SENTENCES, "prompts": PROMPTS, "maxLength": 32,
        "ids": [reader.encode(s).ids for s in SENTENCES],
        "queryIds": [reader.encode(PROMPTS["query"] + s).ids for s in SENTENCES],
        "documentIds": [reader.encode(PROMPTS["document"] + s).ids for s in SENTENCES],
        "embeddings": floats(model.encode(SENTENCES, **options)),
        "queryEmbeddings": floats(model.encode(SENTENCES, prompt_name="query", **options)),
        "documentEmbeddings": floats(model.encode(SENTENCES, prompt_name="document", **options)),
        "byPooling": {},
    }
    for mode in ("mean", "cls"):
        for variant in ("", "-legacy"):
            shutil.copy(path / f"pooling-{mode}{variant}.json", path / "1_Pooling" / "config.json")
            again = SentenceTransformer(str(path), device="cpu")
            embeddings = again.encode(SENTENCES, **options)
            if variant == "":
                raw = torch.nn.Sequential(again[0], again[1])
                with torch.no_grad():
                    plain = raw(again.preprocess(SENTENCES))["sentence_embedding"]
                golden["byPooling"][mode] = {"normalized": floats(embeddings), "raw": floats(plain)}
            else:
                assert floats(embeddings) == golden["byPooling"][mode]["normalized"]
    shutil.copy(path / "pooling-mean.json", path / "1_Pooling" / "config.json")
    assert golden["byPooling"]["mean"]["normalized"] == golden["embeddings"]
    for sentence, ids in zip(SENTENCES, golden["ids"]):
        assert model.preprocess([sentence])["input_ids"][0].tolist() == ids, sentence
    assert np.allclose(np.linalg.norm(golden["embeddings"], axis=1), 1, atol=1e-6)
    save_json(path / "embeddings.json", golden, indent=None)
    print({k: (len(v) if isinstance(v, list) else "") for k, v in golden.items()}, [len(i) for i in golden["ids"]])


if __name__ == "__main__":
    main()
