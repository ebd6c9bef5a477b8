"""dpr-exports/: exports of tiny encoders, and PyTorch's loss and gradient norm of the one batch of train.jsonl.

    python dpr_exports.py [ARCHITECTURE …]

A folder holds its architecture's config.json and `dynamo.onnx` and `script.onnx`, by torch's two exporters. Each of
`reference.json` has

  pooling, similarity, temperature    as `tandem dpr train` is to be told
  loss, gradNorm                      mean_b -log softmax(scores[b])[b] over the four questions, scores = similarity / temperature
                                      of questions and eight passages (positives, then hard negatives); sqrt(sum over
                                      parameters of ||gradient||^2)
  buffers                             by exporter: the file's float tensors of several elements, initializers and values of
                                      `Constant` nodes, that hold no parameter, found by value

in float64 with eager attention, so by other code than what is exported, and without padding: every text runs alone.
"""

import json
import sys

import numpy as np
import onnx
import torch
import transformers as hf
from onnx import numpy_helper
from tokenizers import Tokenizer

from exports import DECODER, ENCODER, export, randomize
from shared import HERE, save_json

OUT = HERE / "dpr-exports"
POSITIONS = 48
SIZES = {"vocab_size": 120, "max_position_embeddings": POSITIONS}
WITH_TYPES = ("albert", "nomic-bert", "nomic-tables", "other-tables")
SPECIAL = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
WIDE, NARROW = {**ENCODER, **SIZES}, {**DECODER, **SIZES, **SPECIAL}


class NomicConfig(hf.PretrainedConfig):
    model_type = "nomic_tables"


class NomicTables(torch.nn.Module):
    """BERT with rotary positions and a SwiGLU as nomic-bert-2048 has them, the angles' cosines and sines stored in tables."""

    def __init__(self, config: hf.PretrainedConfig):
        super().__init__()
        self.config, width, inner = config, config.hidden_size, config.intermediate_size
        self.words, self.types = torch.nn.Embedding(config.vocab_size, width), torch.nn.Embedding(2, width)
        self.emb_ln = torch.nn.LayerNorm(width)
        self.layers = torch.nn.ModuleList(torch.nn.ModuleDict({
            "Wqkv": torch.nn.Linear(width, 3 * width, bias=False), "out_proj": torch.nn.Linear(width, width, bias=False),
            "fc11": torch.nn.Linear(width, inner, bias=False), "fc12": torch.nn.Linear(width, inner, bias=False),
            "fc2": torch.nn.Linear(inner, width, bias=False), "norm1": torch.nn.LayerNorm(width),
            "norm2": torch.nn.LayerNorm(width),
        }) for _ in range(config.num_hidden_layers))
        half = width // config.num_attention_heads // 2
        for name, table in self.tables(torch.arange(POSITIONS), 1000.0 ** -(torch.arange(half) / half)).items():
            self.register_buffer(name, table)

    def get_output_embeddings(self) -> None:
        return None

    def tables(self, positions: torch.Tensor, frequencies: torch.Tensor) -> dict:
        angles = torch.outer(positions, frequencies)
        return {"cos": angles.cos(), "sin": angles.sin()}

    def embedded(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def turns(self, size: int) -> tuple:
        return self.cos[:size], self.sin[:size]

    def biased(self, scores: torch.Tensor) -> torch.Tensor:
        return scores

    def rotated(self, x: torch.Tensor) -> torch.Tensor:
        cos, sin = (torch.cat([part] * 2, -1) for part in self.turns(x.size(2)))
        left, right = x.chunk(2, -1)
        return x * cos + torch.cat([-right, left], -1) * sin

    def forward(self, input_ids, attention_mask, token_type_ids, **_):
        x = self.emb_ln(self.embedded(self.words(input_ids) + self.types(token_type_ids)))
        hidden = (1 - attention_mask[:, None, None, :].to(x.dtype)) * -1e4
        for layer in self.layers:
            heads = layer["Wqkv"](x).view(*input_ids.shape, 3, self.config.num_attention_heads, -1).permute(2, 0, 3, 1, 4)
            query, key, value = self.rotated(heads[0]), self.rotated(heads[1]), heads[2]
            scores = self.biased(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5) + hidden
            x = layer["norm1"](x + layer["out_proj"]((scores.softmax(-1) @ value).transpose(1, 2).flatten(2)))
            gated = layer["fc11"](x) * torch.nn.functional.silu(layer["fc12"](x))
            x = layer["norm2"](x + layer["fc2"](gated))
        return (x,)


class OtherTables(NomicTables):
    """The same with buffers of other kinds, which states meet before any position does: sinusoids that are added to embeddings,
    frequencies of positions that are stored, too, biases of ALiBi and a causal mask."""

    def tables(self, positions: torch.Tensor, frequencies: torch.Tensor) -> dict:
        angles = torch.outer(positions, 50.0 ** -(torch.arange(self.config.hidden_size // 2) / 8))
        away = positions[:, None] - positions
        slopes = torch.tensor([0.25, 0.0625])[:, None, None]
        sinusoids = torch.cat([angles.sin(), angles.cos()], -1)
        return {"positions": positions[None], "frequencies": frequencies, "sinusoids": sinusoids,
                "slopes": -slopes * away.abs(), "causal": torch.where(away < 0, -1e4, 0.0)}

    def embedded(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.sinusoids[: x.size(1)]

    def turns(self, size: int) -> tuple:
        angles = self.positions[:, None, :size, None] * self.frequencies
        return angles.cos(), angles.sin()

    def biased(self, scores: torch.Tensor) -> torch.Tensor:
        size = scores.size(-1)
        return scores + self.slopes[:, :size, :size] + self.causal[:size, :size]


def models() -> dict:
    """By name: class, configuration, what the class is told besides, pooling, similarity and temperature."""
    cosine, dot = ("cosine", 0.05), ("dot", 1.0)
    return {
        "modernbert": (hf.ModernBertModel, hf.ModernBertConfig(**WIDE, **SPECIAL, local_attention=4, global_attn_every_n_layers=2,
                                                               cls_token_id=2, sep_token_id=3), {}, "mean", *cosine),
        "qwen3": (hf.Qwen3Model, hf.Qwen3Config(**NARROW, head_dim=8), {}, "last", *cosine),
        "nomic-bert": (hf.NomicBertModel, hf.NomicBertConfig(**WIDE), {}, "mean", *cosine),
        "nomic-tables": (NomicTables, NomicConfig(**WIDE), {}, "mean", *dot),
        "other-tables": (OtherTables, NomicConfig(**WIDE), {}, "mean", *dot),
        "eurobert": (hf.EuroBertModel, hf.EuroBertConfig(**NARROW), {}, "mean", *dot),
        "albert": (hf.AlbertModel, hf.AlbertConfig(**WIDE, embedding_size=8), {"add_pooling_layer": False}, "cls", *dot),
        "bloom": (hf.BloomModel, hf.BloomConfig(vocab_size=120, hidden_size=16, n_layer=2, n_head=2, **SPECIAL), {},
                  "last", *cosine),
    }


def build(name: str, attention: str) -> torch.nn.Module:
    kind, config, options, *_ = models()[name]
    config._attn_implementation = "eager" if name == "bloom" else attention
    return randomize(kind(config, **options).eval(), name)


def lines(name: str) -> list:
    return [json.loads(line) for line in (OUT / f"{name}.jsonl").read_text().splitlines()]


def texts() -> tuple:
    """The ids of questions, and of positives and then hard negatives."""
    tokenizer = Tokenizer.from_file(str(HERE / "sentence-transformers-tiny" / "tokenizer.json"))
    passages = {line["id"]: line["text"] for line in lines("corpus")}
    examples = lines("train")
    chosen = [passages[line[side][0]] for side in ("positives", "negatives") for line in examples]
    rows = [[tokenizer.encode(text).ids for text in side] for side in ([line["query"] for line in examples], chosen)]
    assert all(len(row) <= 32 for side in rows for row in side)
    return rows


def inputs_of(name: str, rows: list) -> dict:
    width = max(map(len, rows))
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    inputs = {"input_ids": torch.tensor([row + [0] * (width - len(row)) for row in rows]), "attention_mask": mask}
    return inputs | ({"token_type_ids": torch.zeros_like(mask)} if name in WITH_TYPES else {})


def embed(name: str, model: torch.nn.Module, row: list) -> torch.Tensor:
    states = model(**inputs_of(name, [row]), return_dict=True)[0][0]
    pooling, similarity = models()[name][3:5]
    vector = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}[pooling]
    return torch.nn.functional.normalize(vector, dim=-1) if similarity == "cosine" else vector


def measure(name: str) -> dict:
    model = build(name, "eager").double()
    queries, passages = (torch.stack([embed(name, model, row) for row in side]) for side in texts())
    loss = torch.nn.functional.cross_entropy(queries @ passages.T / models()[name][5], torch.arange(len(queries)))
    loss.backward()
    norm = sum(value.grad.square().sum() for value in model.parameters() if value.grad is not None).sqrt()
    return {"loss": float(loss), "gradNorm": float(norm)}


def difference(path, inputs: dict, model: torch.nn.Module) -> float:
    """At real tokens; a query that sees padding alone (local attention) has no defined output."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {value.name: inputs[value.name].numpy() for value in session.get_inputs()})[0]
    with torch.no_grad():
        away = torch.from_numpy(found) - model(**inputs, return_dict=True)[0]
    return float(away[inputs["attention_mask"] > 0].abs().max())


def stored(path) -> dict:
    graph = onnx.load(str(path)).graph
    constants = {node.output[0]: attribute.t for node in graph.node if node.op_type == "Constant"
                 for attribute in node.attribute if attribute.name == "value"}
    tensors = {value.name: value for value in graph.initializer} | constants
    return {name: numpy_helper.to_array(value) for name, value in tensors.items() if value.data_type == onnx.TensorProto.FLOAT}


def buffers(name: str, path) -> list:
    """Tensors of several elements that hold no parameter, nor its transpose; every parameter has to be there."""
    parameters = {key: value.detach().numpy() for key, value in build(name, "sdpa").named_parameters()}
    tensors = {key: value for key, value in stored(path).items() if value.size > 1}

    def holds(value: np.ndarray, parameter: np.ndarray) -> bool:
        forms = (value, value.swapaxes(-1, -2)) if value.ndim > 1 else (value,)
        return any(np.array_equal(form.ravel(), parameter.ravel()) for form in forms)

    for key, parameter in parameters.items():
        assert any(holds(value, parameter) for value in tensors.values()), f"{path}: {key} is missing"
    known = list(parameters.values())
    return sorted(key for key, value in tensors.items() if not any(holds(value, parameter) for parameter in known))


def make(name: str) -> dict:
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    inputs = inputs_of(name, [row[:20] for row in texts()[1]])
    for file, dynamo, opset in (("dynamo", True, 20), ("script", False, 17)):
        model, path = build(name, "sdpa"), folder / f"{file}.onnx"
        export(model, inputs, path, dynamo, opset)
        error = difference(path, inputs, model)
        print(f"{name}/{path.name}: {path.stat().st_size} bytes, max |ONNX Runtime - torch| = {error:.1e}", flush=True)
        assert error <= 2e-5, path
    save_json(folder / "config.json", models()[name][1].to_diff_dict())
    pooling, similarity, temperature = models()[name][3:]
    return {"pooling": pooling, "similarity": similarity, "temperature": temperature, **measure(name),
            "buffers": {file: buffers(name, folder / f"{file}.onnx") for file in ("dynamo", "script")}}


if __name__ == "__main__":
    reference = OUT / "reference.json"
    known = json.loads(reference.read_text()) if reference.exists() else {}
    for architecture in sys.argv[1:] or models():
        known[architecture] = make(architecture)
        print(architecture, known[architecture], flush=True)
    save_json(reference, {name: known[name] for name in models() if name in known})
