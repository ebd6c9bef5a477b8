"""exports/: real exports of tiny random models, and PyTorch's output, loss and every gradient.

    python exports.py [ARCHITECTURE …] [--checkpoints FOLDER]

Each architecture's folder gets `reference.safetensors` (`in.NAME`, `R`, `out`, `loss`, `w.NAME`, `g.NAME`, where loss =
sum(out · R) / number of elements of out, the model's first output; computed in float64, stored in float32) and the exports
`dynamo.onnx` (today's exporter) and `script.onnx` (the tracing one); the first four also `script-opset14.onnx`,
`script-opset20.onnx` and `dynamo-opset17.onnx` (asked for less, today's exporter writes 18); two of them
`dynamo-opset{18,23,24}.onnx`. `--checkpoints` keeps config.json and model.safetensors of each, which exports_optimum.py
reads; references of its exports that have inputs of their own are called like the export.
"""

import argparse
import inspect
import sys
from pathlib import Path

import torch
import transformers as hf

from shared import HERE, plain_embeddings, save, strip

OUT = HERE / "exports"
VOCABULARY, HIDDEN, LENGTH = 64, 16, 9
ENCODER = {"vocab_size": VOCABULARY, "hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 2,
           "intermediate_size": 24, "max_position_embeddings": 24}
DECODER = {**ENCODER, "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def configurations() -> dict:
    """By name: the model's class, its configuration, and what the class is told besides. `max_position_embeddings` of
    RoBERTa and its kin counts the two positions before the first."""
    bare = {"add_pooling_layer": False}
    return {
        "bert": (hf.BertModel, hf.BertConfig(**ENCODER), bare),
        "distilbert": (hf.DistilBertModel, hf.DistilBertConfig(vocab_size=VOCABULARY, dim=HIDDEN, n_layers=2, n_heads=2,
                                                               hidden_dim=24, max_position_embeddings=24), {}),
        "roberta": (hf.RobertaModel, hf.RobertaConfig(**ENCODER, pad_token_id=1, type_vocab_size=1), bare),
        "mpnet": (hf.MPNetModel, hf.MPNetConfig(**ENCODER, pad_token_id=1), bare),
        "xlm-roberta": (hf.XLMRobertaModel, hf.XLMRobertaConfig(**ENCODER, pad_token_id=1, type_vocab_size=1), bare),
        "modernbert": (hf.ModernBertModel, hf.ModernBertConfig(**ENCODER, local_attention=4, global_attn_every_n_layers=2,
                                                               pad_token_id=0, bos_token_id=1, eos_token_id=2,
                                                               cls_token_id=1, sep_token_id=2), {}),
        "gpt2": (hf.GPT2LMHeadModel, hf.GPT2Config(vocab_size=VOCABULARY, n_embd=HIDDEN, n_layer=2, n_head=2, n_inner=24,
                                                   n_positions=24, bos_token_id=1, eos_token_id=2), {}),
        "llama": (hf.LlamaForCausalLM, hf.LlamaConfig(**DECODER, head_dim=16), {}),
        "mistral": (hf.MistralForCausalLM, hf.MistralConfig(**DECODER, head_dim=16, sliding_window=4), {}),
        "qwen2": (hf.Qwen2ForCausalLM, hf.Qwen2Config(**DECODER, tie_word_embeddings=True), {}),
        "qwen3": (hf.Qwen3ForCausalLM, hf.Qwen3Config(**DECODER, head_dim=8), {}),
        "smollm": (hf.LlamaForCausalLM, hf.LlamaConfig(**DECODER, tie_word_embeddings=True, rms_norm_eps=1e-5), {}),
        "gemma3": (hf.Gemma3ForCausalLM, hf.Gemma3TextConfig(**DECODER, head_dim=8, sliding_window=4, query_pre_attn_scalar=8,
                                                            layer_types=["sliding_attention", "full_attention"]), {}),
        "phi3": (hf.Phi3ForCausalLM, hf.Phi3Config(**DECODER), {}),
        "t5": (hf.T5ForConditionalGeneration, hf.T5Config(vocab_size=VOCABULARY, d_model=HIDDEN, d_kv=8, d_ff=24, num_layers=2,
                                                          num_heads=2, relative_attention_num_buckets=8,
                                                          relative_attention_max_distance=12, decoder_start_token_id=0), {}),
        "bart": (hf.BartForConditionalGeneration, hf.BartConfig(vocab_size=VOCABULARY, d_model=HIDDEN, encoder_layers=2,
                                                                decoder_layers=2, encoder_attention_heads=2,
                                                                decoder_attention_heads=2, encoder_ffn_dim=24,
                                                                decoder_ffn_dim=24, max_position_embeddings=24), {}),
    }


NEWER_OPSETS = ("bert", "llama")
FOUR_OPSETS = ("bert", "distilbert", "roberta", "mpnet")
# torch.export does not get through T5 (a guard on the decoder's length); the tracing exporter does.
SCRIPT_ONLY = ("t5",)


def build(name: str) -> torch.nn.Module:
    kind, config, options = configurations()[name]
    return randomize(kind(config, **options).eval(), name)


def randomize(model: torch.nn.Module, name: str) -> torch.nn.Module:
    """Every number is drawn, norms and biases included, so that values tell parameters apart."""
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    with torch.no_grad():
        for parameter_name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                parameter.copy_(0.25 * noise)
            else:
                # Gemma multiplies by 1 + weight; everybody else's norms by the weight.
                scale = parameter_name.endswith("weight") and not name.startswith("gemma")
                parameter.copy_((1 if scale else 0) + 0.1 * noise)
    plain_embeddings(model)
    return model


def example(model: torch.nn.Module) -> dict:
    """Three rows of 9, 6 and 3 real tokens, padded at the right, with ids that occur more than once. Where attention is local
    the rows are longer: a query that sees padding alone has no defined output, and exports differ from PyTorch there."""
    generator = torch.Generator().manual_seed(7)
    positions = torch.arange(LENGTH)[None, :]
    is_local = any(getattr(model.config, name, None) for name in ("sliding_window", "local_attention"))
    mask = (positions < torch.tensor([[9], [8], [7]] if is_local else [[9], [6], [3]])).long()
    padding = model.config.pad_token_id or 0
    ids = torch.randint(3, 40, (3, LENGTH), generator=generator)
    ids[1, :3] = ids[0, 0]
    ids[2, 0] = ids[0, 1]
    inputs = {"input_ids": torch.where(mask > 0, ids, padding), "attention_mask": mask}
    takes = inspect.signature(model.forward).parameters
    if "token_type_ids" in takes and getattr(model.config, "type_vocab_size", 1) > 1:
        inputs["token_type_ids"] = (positions >= 2).long() * mask
    if "decoder_input_ids" in takes:
        inputs["decoder_input_ids"] = torch.randint(3, 40, (3, 5), generator=generator)
        inputs["decoder_input_ids"][:, 0] = model.config.decoder_start_token_id
        inputs["decoder_input_ids"][1, 1:3] = inputs["decoder_input_ids"][0, 1]
    return inputs


class FirstOutput(torch.nn.Module):
    """The model's first output alone, by position, without a key-value cache."""

    def __init__(self, model: torch.nn.Module, names: list):
        super().__init__()
        self.model, self.names = model, names
        self.options = {"use_cache": False} if getattr(model.config, "use_cache", None) is not None else {}

    def forward(self, *values):
        return self.model(**dict(zip(self.names, values)), **self.options, return_dict=True)[0]


def reference(model: torch.nn.Module, inputs: dict, path: Path, seed: int = 11, run=None, rows=None) -> torch.Tensor:
    """Output, loss and gradients in float64; R is drawn anew until the loss is not small by chance, and zero outside `rows`."""
    run = run or FirstOutput(model, list(inputs))
    model.double()
    wide = [value.double() if value.is_floating_point() else value for value in inputs.values()]
    out = run(*wide)
    assert out.isfinite().all()
    loss = torch.zeros(())
    while abs(loss) < 0.02:
        cotangent = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed)).double()
        if rows is not None:
            cotangent = cotangent * rows[..., None]
        loss, seed = (out * cotangent).sum() / out.numel(), seed + 1
    loss.backward()
    tensors = {f"in.{name}": value for name, value in inputs.items()}
    tensors |= {"R": cotangent, "out": out, "loss": loss}
    for name, value in model.named_parameters():
        # A parameter that the output does not use (the encoder's, where only the decoder runs) is none of this reference's.
        if value.grad is not None:
            tensors |= {f"w.{name}": value, f"g.{name}": value.grad}
    save(path, {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()})
    model.zero_grad(set_to_none=True)
    model.float()
    return out.detach().float()


def optimum_references(name: str, model: torch.nn.Module, inputs: dict, folder: Path) -> None:
    """References of what optimum exports with other inputs: an empty key-value cache, or encoder and decoder apart."""
    if name in ("gpt2", "llama"):
        heads = getattr(model.config, "num_key_value_heads", model.config.num_attention_heads)
        empty = torch.zeros(3, heads, 0, getattr(model.config, "head_dim", 8))
        more = {"position_ids": torch.arange(LENGTH).expand(3, LENGTH)}
        more |= {f"past_key_values.{layer}.{part}": empty for layer in range(2) for part in ("key", "value")}
        plain = FirstOutput(model, list(inputs))
        reference(model, inputs | more, folder / "optimum.safetensors", run=lambda *values: plain(*values[:len(inputs)]))
    if name == "t5":
        mask = inputs["attention_mask"]
        hidden = reference(model, {"input_ids": inputs["input_ids"], "attention_mask": mask}, folder / "optimum-encoder.safetensors",
                           run=lambda ids, mask: model.encoder(ids, attention_mask=mask)[0])
        empty = torch.zeros(3, 2, 0, 8)
        cache = {f"past_key_values.{layer}.{side}.{part}": empty
                 for layer in range(2) for side in ("decoder", "encoder") for part in ("key", "value")}
        more = {"encoder_attention_mask": mask, "input_ids": inputs["decoder_input_ids"], "encoder_hidden_states": hidden}
        reference(model, more | cache | {"use_cache_branch": torch.tensor([False])}, folder / "optimum-decoder.safetensors",
                  run=lambda mask, ids, states, *_: model(decoder_input_ids=ids, encoder_outputs=(states,), attention_mask=mask, use_cache=False)[0])


def export(model: torch.nn.Module, inputs: dict, path: Path, dynamo: bool, opset: int) -> None:
    """Exports with a dynamic batch and dynamic lengths."""
    wrapped = FirstOutput(model, list(inputs)).eval()
    output = "last_hidden_state" if model.get_output_embeddings() is None else "logits"
    names = {"input_names": list(inputs), "output_names": [output], "opset_version": opset}
    length = {name: "decoder_sequence" if name.startswith("decoder") else "sequence" for name in inputs}
    if dynamo:
        dims = {key: torch.export.Dim(key, min=1, max=20) for key in set(length.values())}
        batch = torch.export.Dim("batch", min=1)
        shapes = (tuple({0: batch, 1: dims[length[name]]} for name in inputs),)
        torch.onnx.export(wrapped, tuple(inputs.values()), str(path), dynamo=True, external_data=False, dynamic_shapes=shapes,
                          verbose=False, **names)
    else:
        axes = {name: {0: "batch", 1: length[name]} for name in inputs} | {output: {0: "batch", 1: list(length.values())[-1]}}
        torch.onnx.export(wrapped, tuple(inputs.values()), str(path), dynamo=False, dynamic_axes=axes, **names)
    strip(path)


def difference(path: Path, inputs: dict, expected: torch.Tensor) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    found = session.run(None, {name: value.numpy() for name, value in inputs.items() if name in names})[0]
    return float((torch.from_numpy(found) - expected).abs().max())


def make(name: str, checkpoints: Path | None) -> None:
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    model = build(name)
    if checkpoints is not None:
        model.save_pretrained(checkpoints / name)
    inputs = example(model)
    expected = reference(model, inputs, folder / "reference.safetensors")
    optimum_references(name, model, inputs, folder)
    wanted = [] if name in SCRIPT_ONLY else [("dynamo", True, 20)]
    wanted += [("script", False, 17)]
    if name in FOUR_OPSETS:
        wanted += [("script-opset14", False, 14), ("script-opset20", False, 20), ("dynamo-opset17", True, 17)]
    if name in NEWER_OPSETS:
        wanted += [(f"dynamo-opset{opset}", True, opset) for opset in (18, 23, 24)]
    for file, dynamo, opset in wanted:
        path = folder / f"{file}.onnx"
        export(model, inputs, path, dynamo, opset)
        if (name, opset) == ("llama", 23):
            continue  # ONNX Runtime 1.31 refuses RotaryEmbedding with the tables of one row that the exporter writes at 23.
        error = difference(path, inputs, expected)
        print(f"{name}/{path.name}: {path.stat().st_size} bytes, max |ONNX Runtime - torch| = {error:.1e}", flush=True)
        assert error <= 2e-5, path


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("architectures", nargs="*", default=list(configurations()))
    arguments.add_argument("--checkpoints", type=Path)
    options = arguments.parse_args()
    failed = []
    for architecture in options.architectures:
        try:
            make(architecture, options.checkpoints)
        except Exception as error:
            failed.append(architecture)
            print(f"{architecture} failed: {type(error).__name__}: {str(error)[:1500]}", flush=True)
    sys.exit(len(failed))
