"""What the fixture scripts share: determinism, random weights, exports, and small file helpers."""

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


class Float64(torch.overrides.TorchFunctionMode):
    """transformers computes norms, softmaxes and rotary factors in float32 whatever the weights are. Not within this."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if args and isinstance(args[0], torch.Tensor) and args[0].dtype == torch.float64:
            if function is torch.Tensor.float:
                return args[0]
            args = tuple(torch.float64 if value is torch.float32 else value for value in args)
            kwargs = {key: torch.float64 if value is torch.float32 else value for key, value in kwargs.items()}
        return function(*args, **kwargs)


def folder(name: str) -> Path:
    path = HERE / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def randomize(model: torch.nn.Module, seed: int) -> None:
    """Distinct random weights everywhere, biases and norms included, so that no gradient is hidden by a zero or a one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = "norm" in name.lower()
            if is_norm and name.endswith("weight"):
                parameter.copy_(1 + 0.1 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            else:
                parameter.copy_((0.2 if "embeddings" in name else 0.15) * noise)


def plain_embeddings(model: torch.nn.Module) -> None:
    """nn.Embedding(padding_idx=0) hides the gradient of row 0; an ONNX Gather knows nothing of that, so switch it off."""
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None


def save(path: Path, tensors: dict, metadata: dict | None = None) -> None:
    """Writes safetensors. Metadata holds one key at most, because safetensors writes several in no fixed order."""
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, str(path), metadata=metadata)
    path.chmod(0o644)


def save_json(path: Path, value: object, indent: int | None = 1) -> None:
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def floats(tensor) -> object:
    """Nested lists; float32 values by their shortest decimal that reads back exactly, float64 as they are."""
    array = tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
    if array.dtype == np.float32:
        return json.loads(json.dumps(np.vectorize(lambda v: float(str(v)), otypes=[float])(array).tolist()))
    return array.tolist()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def strip(path: Path, check: bool = True) -> None:
    """Drops what exporters leave for debugging: doc strings, metadata, Python stack traces. `check` knows ONNX's operators alone."""
    model = onnx.load(str(path))

    def clean(item) -> None:
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]

    def clean_graph(graph) -> None:
        clean(graph)
        for group in (graph.node, graph.initializer, graph.input, graph.output, graph.value_info):
            for item in group:
                clean(item)
        for node in graph.node:
            for attribute in node.attribute:
                attribute.doc_string = ""
                if attribute.HasField("g"):
                    clean_graph(attribute.g)

    clean(model)
    clean_graph(model.graph)
    for function in model.functions:
        clean(function)
        for node in function.node:
            clean(node)
    if check:
        onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def export(model: torch.nn.Module, inputs: dict, path: Path, dynamo: bool, opset: int, output: str = "last_hidden_state") -> None:
    """Exports with a dynamic batch and sequence. `dynamo` is today's exporter, the other one traces."""
    axes = {0: "batch", 1: "sequence"}
    args = tuple(inputs.values())
    names = {"input_names": list(inputs), "output_names": [output], "opset_version": opset}
    if dynamo:
        dims = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("sequence", min=1, max=model.config.max_position_embeddings)}
        torch.onnx.export(model, (), str(path), kwargs=inputs, dynamo=True, external_data=False,
                          dynamic_shapes={k: dims for k in inputs}, verbose=False, **names)
    else:
        original = model.forward
        model.forward = lambda *values: original(**dict(zip(inputs, values)))[0]  # the tracer passes by position only
        try:
            torch.onnx.export(model, args, str(path), dynamo=False, do_constant_folding=True,
                              dynamic_axes={k: axes for k in [*inputs, output]}, **names)
        finally:
            del model.forward
    strip(path)


def check_export(path: Path, model: torch.nn.Module, inputs: dict, tolerance: float = 2e-5) -> float:
    """Largest difference to torch on the given inputs and on other shapes, by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, length in [(None, None), (1, 4), (5, 17), (2, 1)]:
        feed = inputs
        if batch is not None:
            feed = {k: torch.randint(3, 100, (batch, length)) if k == "input_ids" else torch.zeros(batch, length, dtype=torch.int64) for k in inputs}
            feed["attention_mask"] = torch.ones(batch, length, dtype=torch.int64)
            feed["attention_mask"][0, length // 2 + 1:] = 0
        with torch.no_grad():
            expected = model(**feed)[0].numpy()
        actual = session.run(None, {k: v.numpy() for k, v in feed.items()})[0]
        worst = max(worst, float(np.abs(expected - actual).max()))
    assert worst <= tolerance, f"{path}: differs from torch by {worst}"
    return worst
