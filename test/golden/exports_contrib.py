"""exports/*/contrib*.onnx: the same weights with ONNX Runtime's own operators, by its optimizer, its quantizer, and built as
onnxruntime-genai's model builder builds decoders. Run after exports.py and exports_optimum.py.

Where a decoder's rows are padded, GroupQueryAttention lets padding see padding, so R is zero there (`contrib*.safetensors`).
Quantised weights are frozen: they are none of the reference's, and PyTorch computes with their dequantised values.
"""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from safetensors.numpy import load_file

from exports import HIDDEN, OUT, FirstOutput, build, example, reference
from shared import strip

CONTRIB = "com.microsoft"
EPSILON = 1e-6
HEAD = 16


def verify(path, own: str, padding: bool = True) -> None:
    tensors = load_file(path.parent / f"{own}.safetensors")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    out = session.run(None, {value.name: tensors[f"in.{value.name}"] for value in session.get_inputs()})[0]
    compared = np.ones(out.shape[:2]) if padding else tensors["in.attention_mask"]
    error = float((np.abs(out - tensors["out"]).max(-1) * compared).max())
    contrib = sorted({node.op_type for node in onnx.load(str(path)).graph.node if node.domain or "Simplified" in node.op_type})
    print(f"{path.parent.name}/{path.name}: {path.stat().st_size} bytes, max |ONNX Runtime - torch| = {error:.1e}, {contrib}", flush=True)
    assert error <= 5e-5, path


def optimized(name: str, source: str, target: str, kind: str, heads: int, wanted: set, **flags) -> None:
    """What `python -m onnxruntime.transformers.optimizer` writes."""
    options = FusionOptions(kind)
    for flag, value in flags.items():
        setattr(options, flag, value)
    path = OUT / name / f"{target}.onnx"
    model = optimize_model(str(OUT / name / f"{source}.onnx"), model_type=kind, num_heads=heads, hidden_size=HIDDEN,
                           optimization_options=options, opt_level=0)
    model.save_model_to_file(str(path))
    strip(path, check=False)
    verify(path, "reference")
    found = {node.op_type for node in onnx.load(str(path)).graph.node}
    assert wanted <= found, (path, wanted - found)


class Decoder:
    """Llama's graph as onnxruntime-genai's builder writes it."""

    def __init__(self, model, packed: bool, rotary_inside: bool):
        self.config, self.weights = model.config, {name: value.detach().numpy() for name, value in model.named_parameters()}
        self.packed, self.rotary_inside = packed, rotary_inside
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def op(self, kind: str, inputs: list, name: str, domain: str = "", outputs: list | None = None, **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, outputs or [f"{name}/output_0"], name=name, domain=domain, **attributes))
        return (outputs or [f"{name}/output_0"])[0]

    def add(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def linear(self, x: str, parameters: list, name: str) -> str:
        weight = np.concatenate([self.weights[f"{each}.weight"] for each in parameters]).T
        return self.op("MatMul", [x, self.add(f"{name}.MatMul.weight", weight)], f"/{name}/MatMul")

    def rotary(self, x: str, name: str) -> str:
        return self.op("RotaryEmbedding", [x, "position_ids", "cos_cache", "sin_cache"], f"/{name}/RotaryEmbedding", CONTRIB)

    def attention(self, layer: int, x: str) -> str:
        config, name = self.config, f"model.layers.{layer}.self_attn"
        heads, kv = config.num_attention_heads, config.num_key_value_heads
        kinds = [f"{name}.{each}_proj" for each in "qkv"]
        cache = [self.value(f"past_key_values.{layer}.{part}", ["batch", kv, "past", HEAD], self.inputs) for part in ("key", "value")]
        present = [self.value(f"present.{layer}.{part}", ["batch", kv, "total", HEAD], self.outputs) for part in ("key", "value")]
        if self.packed:
            q, k, v = self.linear(x, kinds, f"{name}.qkv_proj"), "", ""
        else:
            q, k, v = (self.linear(x, [kind], kind) for kind in kinds)
        if not self.rotary_inside:
            q, k = self.rotary(q, f"{name}.q_rotary"), self.rotary(k, f"{name}.k_rotary")
        tables = ["cos_cache", "sin_cache"] if self.rotary_inside else []
        window = getattr(config, "sliding_window", None) or -1
        mixed = self.op("GroupQueryAttention", [q, k, v, *cache, "seqlens_k", "total_length", *tables], f"/{name}/GroupQueryAttention", CONTRIB,
                        [f"/{name}/output", *present], num_heads=heads, kv_num_heads=kv, scale=HEAD**-0.5,
                        local_window_size=window, do_rotary=int(self.rotary_inside), rotary_interleaved=0)
        return self.linear(mixed, [f"{name}.o_proj"], f"{name}.o_proj")

    def value(self, name: str, dims: list, group: list, kind: int = TensorProto.FLOAT) -> str:
        group.append(helper.make_tensor_value_info(name, kind, dims))
        return name

    def norm(self, x: str, skip: str | None, parameter: str) -> tuple:
        weight, name = self.add(parameter, self.weights[parameter]), "/" + parameter.replace(".", "/")
        if skip is None:
            return self.op("SimplifiedLayerNormalization", [x, weight], name, axis=-1, epsilon=EPSILON, stash_type=1), x
        outputs = [f"{name}/output_0", "", "", f"{name}/output_3"]
        self.op("SkipSimplifiedLayerNormalization", [x, skip, weight], name, CONTRIB, outputs, epsilon=EPSILON)
        return outputs[0], outputs[3]

    def feed_forward(self, layer: int, x: str) -> str:
        name = f"model.layers.{layer}.mlp"
        gate, up = (self.linear(x, [f"{name}.{each}_proj"], f"{name}.{each}_proj") for each in ("gate", "up"))
        active = self.op("Mul", [gate, self.op("Sigmoid", [gate], f"/{name}/act_fn/Sigmoid")], f"/{name}/act_fn/Mul")
        return self.linear(self.op("Mul", [active, up], f"/{name}/Mul"), [f"{name}.down_proj"], f"{name}.down_proj")

    def model(self) -> onnx.ModelProto:
        config = self.config
        for name in ("input_ids", "attention_mask"):
            self.value(name, ["batch", "sequence" if name == "input_ids" else "total"], self.inputs, TensorProto.INT64)
        self.value("logits", ["batch", "sequence", config.vocab_size], self.outputs)
        if not self.rotary_inside:
            self.value("position_ids", ["batch", "sequence"], self.inputs, TensorProto.INT64)
        angles = np.outer(np.arange(24), 10000.0 ** (-np.arange(0, HEAD, 2) / HEAD))
        self.add("cos_cache", np.cos(angles).astype(np.float32))
        self.add("sin_cache", np.sin(angles).astype(np.float32))
        one, axis = self.add("one", np.array([1], np.int64)), self.add("axis", np.array(1, np.int64))
        real = self.op("Sub", [self.op("ReduceSum", ["attention_mask", one], "/mask/ReduceSum", keepdims=0), one], "/mask/Sub")
        self.op("Cast", [real], "/mask/seqlens", outputs=["seqlens_k"], to=TensorProto.INT32)
        total = self.op("Gather", [self.op("Shape", ["attention_mask"], "/mask/Shape"), axis], "/mask/Gather", axis=0)
        self.op("Cast", [total], "/mask/total", outputs=["total_length"], to=TensorProto.INT32)
        table = self.add("model.embed_tokens.weight", self.weights["model.embed_tokens.weight"])
        hidden, skip = self.op("Gather", [table, "input_ids"], "/model/embed_tokens/Gather"), None
        for layer in range(config.num_hidden_layers):
            normal, hidden = self.norm(hidden, skip, f"model.layers.{layer}.input_layernorm.weight")
            skip = self.attention(layer, normal)
            normal, hidden = self.norm(hidden, skip, f"model.layers.{layer}.post_attention_layernorm.weight")
            skip = self.feed_forward(layer, normal)
        normal, _ = self.norm(hidden, skip, "model.norm.weight")
        self.nodes.append(helper.make_node("MatMul", [normal, self.add("lm_head.MatMul.weight", self.weights["lm_head.weight"].T)], ["logits"], "/lm_head/MatMul"))
        graph = helper.make_graph(self.nodes, "main_graph", sorted(self.inputs, key=lambda value: "past" in value.name),
                                  sorted(self.outputs, key=lambda value: "present" in value.name), self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14), helper.make_opsetid(CONTRIB, 1)], ir_version=7)


def decoder_reference(model, path, frozen: set = frozenset()) -> None:
    inputs, mask = example(model), example(model)["attention_mask"]
    heads = model.config.num_key_value_heads
    empty = torch.zeros(3, heads, 0, HEAD)
    more = {"position_ids": torch.arange(mask.shape[1]).expand(mask.shape)}
    more |= {f"past_key_values.{layer}.{part}": empty for layer in range(2) for part in ("key", "value")}
    plain = FirstOutput(model, list(inputs))
    for name, value in model.named_parameters():
        value.requires_grad_(name not in frozen)
    reference(model, inputs | more, path, run=lambda *values: plain(*values[:2]), rows=mask)


def built(model, folder: str, target: str, own: str, **how) -> None:
    path = OUT / folder / f"{target}.onnx"
    onnx.save(Decoder(model, **how).model(), str(path))
    verify(path, own, padding=False)


def dequantized(node, tensors: dict) -> np.ndarray:
    """[N, K] of a MatMulNBits node with 4 bits: the lower half of a byte comes first; zero points are packed by rows."""
    size = {attribute.name: attribute.i for attribute in node.attribute}
    packed, scales, zeros = (tensors[name] for name in node.input[1:4])
    halves = lambda values: np.stack([values & 15, values >> 4], -1).reshape(*values.shape[:-1], -1).astype(np.float32)
    blocks = -(-size["K"] // size["block_size"])
    values = halves(packed).reshape(size["N"], blocks, size["block_size"])
    points = halves(zeros.reshape(size["N"], -1))[:, :blocks, None]
    return ((values - points) * scales.reshape(size["N"], blocks, 1)).reshape(size["N"], -1)[:, :size["K"]]


def quantized(model) -> None:
    """Every product's weight in 4 bits, as the quantizer of ONNX Runtime stores it."""
    path = OUT / "llama" / "contrib-nbits.onnx"
    quantizer = MatMulNBitsQuantizer(onnx.load(str(OUT / "llama" / "contrib-gqa.onnx")), block_size=16, is_symmetric=False)
    quantizer.process()
    quantizer.model.save_model_to_file(str(path))
    proto = onnx.load(str(path))
    tensors = {each.name: numpy_helper.to_array(each) for each in proto.graph.initializer}
    parameters, frozen = dict(model.named_parameters()), set()
    for node in proto.graph.node:
        if node.op_type == "MatMulNBits":
            name = node.input[1].split(".MatMul")[0] + ".weight"
            frozen.add(name)
            with torch.no_grad():
                parameters[name].copy_(torch.from_numpy(dequantized(node, tensors)))
    assert len(frozen) == 15, frozen
    strip(path, check=False)
    decoder_reference(model, path.with_suffix(".safetensors"), frozen)
    verify(path, "contrib-nbits", padding=False)


if __name__ == "__main__":
    fused = {"EmbedLayerNormalization", "SkipLayerNormalization", "BiasGelu"}
    optimized("bert", "optimum", "contrib", "bert", 2, fused | {"Attention"})
    optimized("bert", "optimum", "contrib-mha", "bert", 2, fused | {"MultiHeadAttention"}, use_multi_head_attention=True)
    optimized("gpt2", "script", "contrib", "gpt2", 2, {"SkipLayerNormalization", "FastGelu"})
    llama = build("llama")
    decoder_reference(llama, OUT / "llama" / "contrib.safetensors")
    built(llama, "llama", "contrib-gqa", "contrib", packed=False, rotary_inside=False)
    built(llama, "llama", "contrib-gqa-packed", "contrib", packed=True, rotary_inside=True)
    mistral = build("mistral")
    decoder_reference(mistral, OUT / "mistral" / "contrib.safetensors")
    built(mistral, "mistral", "contrib-gqa", "contrib", packed=False, rotary_inside=True)
    quantized(build("llama"))
