"""Reads every fixture back and recomputes what it can by another way: ONNX Runtime and NumPy, no torch.

    python check.py [MODEL.onnx of all-MiniLM-L6-v2]
"""

import json
import sys

import numpy as np
import onnxruntime
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from shared import HERE


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def close(name: str, actual, expected, tolerance: float) -> None:
    error = float(np.abs(np.asarray(actual) - np.asarray(expected)).max())
    print(f"{'ok  ' if error <= tolerance else 'FAIL'} {name}: {error:.1e}")
    assert error <= tolerance, name


def padded(rows: list) -> dict:
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.int64)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": mask}


def embed(model, inputs: dict, pooling: str = "mean", normalize: bool = True) -> np.ndarray:
    hidden = model.run(None, inputs | {"token_type_ids": np.zeros_like(inputs["input_ids"])})[0]
    mask = inputs["attention_mask"][..., None]
    pooled = hidden[:, 0] if pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True) if normalize else pooled


def logsumexp(x, axis):
    top = x.max(axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis)) + top.squeeze(axis)


def encoders() -> None:
    for name in ("bert-tiny", "distilbert-tiny"):
        reference, weights = load_file(HERE / name / "reference.safetensors"), load_file(HERE / name / "model.safetensors")
        parameters = {k[2:] for k in reference if k.startswith("w.")}
        assert parameters == {k[2:] for k in reference if k.startswith("g.")} == set(weights)
        assert all(np.array_equal(reference[f"w.{k}"], weights[k]) for k in parameters)
        inputs = {k[3:]: v for k, v in reference.items() if k.startswith("in.")}
        for path in sorted((HERE / name).glob("*.onnx")):
            out = session(path).run(None, inputs)[0]
            close(f"{name}/{path.name} output", out, reference["out"], 1e-5)
            close(f"{name}/{path.name} loss", (out * reference["R"]).sum() / out.size, reference["loss"], 1e-6)


def dual_encoder() -> None:
    batches, losses = load_file(HERE / "dual-encoder" / "batches.safetensors"), json.loads((HERE / "dual-encoder" / "losses.json").read_text())
    model = session(HERE / "bert-tiny" / "dynamo.onnx")
    untrained = []
    for step in range(20):
        query, passage = ({k: batches[f"step{step:02d}.{side}.{k}"] for k in ("input_ids", "attention_mask")} for side in ("query", "passage"))
        scores = 20 * embed(model, query) @ embed(model, passage).T
        untrained.append((logsumexp(scores, 1) - scores[range(4), range(4)]).mean())
    close("dual-encoder, losses without training", untrained, losses["lossesWithoutTraining"], 1e-5)
    close("dual-encoder, first loss", untrained[0], losses["losses"][0], 1e-5)
    first, final = (load_file(HERE / "dual-encoder" / f"{n}.safetensors") for n in ("first-gradients", "final"))
    assert set(first) == set(final) == set(load_file(HERE / "bert-tiny" / "model.safetensors"))
    norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in first.values()))
    close("dual-encoder, first gradient norm", norm, losses["gradientNorms"][0], 1e-5)


def in_batch_nll() -> None:
    def value(entry, q, c):
        options, batch = entry["options"], len(q)
        if options["similarity"] == "cosine":
            q, c = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, c))
        s = q @ c.T / options["temperature"]
        total = 0.0
        for b in range(batch):
            allowed = list(range(len(c)))
            relevant = [j for j in allowed if entry["relevant"][b][j]] if "relevant" in entry else [b]
            if options["multiPositive"] in (None, "exclude"):
                allowed = [j for j in allowed if j == b or j not in relevant]
                row = logsumexp(s[b, allowed], 0) - s[b, b]
            elif options["multiPositive"] == "sum":
                row = logsumexp(s[b], 0) - logsumexp(s[b, relevant], 0)
            else:
                row = logsumexp(s[b], 0) - s[b, relevant].mean()
            total += (row + logsumexp(s[:, b], 0) - s[b, b]) / 2 if options["symmetric"] else row
        return total / batch

    for entry in json.loads((HERE / "in-batch-nll.json").read_text())["cases"]:
        q, c = np.array(entry["queries"]), np.array(entry["passages"])
        close(f"in-batch NLL, {entry['name']}", value(entry, q, c), entry["loss"], 1e-12)
        rng = np.random.default_rng(0)
        u, v = rng.normal(size=q.shape), rng.normal(size=c.shape)
        slope = (value(entry, q + 1e-6 * u, c + 1e-6 * v) - value(entry, q - 1e-6 * u, c - 1e-6 * v)) / 2e-6
        close("  its gradients", slope, (u * entry["queryGradient"]).sum() + (v * entry["passageGradient"]).sum(), 1e-6)


def tokenizers() -> None:
    golden = json.loads((HERE / "tokenizer" / "golden.json").read_text())
    tokenizer = Tokenizer.from_file(str(HERE / "tokenizer" / "tokenizer.json"))
    vocabulary = (HERE / "tokenizer" / "vocab.txt").read_text().splitlines()
    assert len(vocabulary) == len(set(vocabulary)) == golden["vocabularySize"]
    for row in golden["single"] + golden["pair"]:
        assert tokenizer.encode(*[row[k] for k in ("text", "pair") if k in row]).ids == row["ids"]
        assert [vocabulary[i] for i in row["ids"]] == row["tokens"]
    assert all(len(row["ids"]) <= 16 for row in golden["truncatedTo16"] + golden["truncatedTo16SecondOnly"])
    print("ok   tokenizer")


def embeddings() -> None:
    golden = json.loads((HERE / "sentence-transformers-tiny" / "embeddings.json").read_text())
    model = session(HERE / "bert-tiny" / "dynamo.onnx")
    for ids, expected in (("ids", "embeddings"), ("queryIds", "queryEmbeddings"), ("documentIds", "documentEmbeddings")):
        rows = golden[ids]
        close(f"sentence-transformers-tiny, {expected}", embed(model, padded(rows)), golden[expected], 1e-5)
    for mode, expected in golden["byPooling"].items():
        inputs = padded(golden["ids"])
        close(f"sentence-transformers-tiny, {mode}", embed(model, inputs, mode), expected["normalized"], 1e-5)
        close(f"sentence-transformers-tiny, {mode}, raw", embed(model, inputs, mode, normalize=False), expected["raw"], 1e-5)
    if len(sys.argv) > 1:
        golden = json.loads((HERE / "minilm-embeddings.json").read_text())
        close("minilm-embeddings", embed(session(sys.argv[1]), padded(golden["ids"])), golden["embeddings"], 1e-5)


for part in (encoders, dual_encoder, in_batch_nll, tokenizers, embeddings):
    part()
