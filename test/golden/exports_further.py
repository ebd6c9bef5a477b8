"""exports/: architectures that nothing here was written for, as exports.py makes them.

    python exports_further.py [ARCHITECTURE …]

They bring what the others do not have: layers with shared weights, relative positions by GatherElements and convolutions
(ALBERT, DeBERTa, XLNet), linear biases, rotary embeddings of a part of each head, heads that share keys, soft caps, experts
that are chosen by TopK, tables of positions that are resized, spectrograms.
"""

import sys

import torch
import transformers as hf

from exports import DECODER, ENCODER, HIDDEN, OUT, VOCABULARY, FirstOutput, difference, example, randomize, reference
from shared import strip

SMALL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
EXPERTS = {"num_experts_per_tok": 2, "num_local_experts": 4}


def configurations() -> dict:
    return {
        "albert": (hf.AlbertModel, hf.AlbertConfig(**ENCODER, embedding_size=8), {"add_pooling_layer": False}),
        "deberta-v2": (hf.DebertaV2Model, hf.DebertaV2Config(**ENCODER, relative_attention=True, position_buckets=4,
                                                             max_relative_positions=12, pos_att_type=["p2c", "c2p"],
                                                             share_att_key=True, norm_rel_ebd="layer_norm", conv_kernel_size=3,
                                                             position_biased_input=False), {}),
        "xlnet": (hf.XLNetModel, hf.XLNetConfig(vocab_size=VOCABULARY, d_model=HIDDEN, n_layer=2, n_head=2, d_inner=24,
                                                pad_token_id=0), {}),
        "bloom": (hf.BloomForCausalLM, hf.BloomConfig(vocab_size=VOCABULARY, hidden_size=HIDDEN, n_layer=2, n_head=2, **SMALL), {}),
        "gpt-neox": (hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(**ENCODER, rotary_pct=0.5, **SMALL), {}),
        "falcon": (hf.FalconForCausalLM, hf.FalconConfig(vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=2,
                                                         num_attention_heads=2, **SMALL), {}),
        "gemma2": (hf.Gemma2ForCausalLM, hf.Gemma2Config(**DECODER, head_dim=8, sliding_window=4, query_pre_attn_scalar=8), {}),
        "mixtral": (hf.MixtralForCausalLM, hf.MixtralConfig(**DECODER, **EXPERTS), {}),
        "gpt-oss": (hf.GptOssForCausalLM, hf.GptOssConfig(**DECODER, **EXPERTS, head_dim=8, sliding_window=4), {}),
        "dinov2": (hf.Dinov2Model, hf.Dinov2Config(hidden_size=HIDDEN, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2,
                                                   image_size=8, patch_size=2), {}),
        "whisper": (hf.WhisperForConditionalGeneration,
                    hf.WhisperConfig(vocab_size=VOCABULARY, d_model=HIDDEN, encoder_layers=1, decoder_layers=1,
                                     encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24,
                                     decoder_ffn_dim=24, num_mel_bins=8, max_source_positions=10, max_target_positions=24,
                                     decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None, **SMALL), {}),
    }


# torch.export does not get through XLNet, the tracing exporter not through Whisper.
NOT_EXPORTED = {("xlnet", "dynamo"), ("whisper", "script")}


def inputs_of(name: str, model: torch.nn.Module, size: tuple = (8, 8)) -> dict:
    generator = torch.Generator().manual_seed(7)
    if name == "dinov2":
        return {"pixel_values": torch.randn(2, 3, *size, generator=generator)}
    if name == "whisper":
        return {"input_features": torch.randn(2, 8, 20, generator=generator),
                "decoder_input_ids": torch.tensor([[1, 7, 9, 7, 30], [1, 12, 7, 3, 9]])}
    return example(model)


def export(model: torch.nn.Module, inputs: dict, path, dynamo: bool) -> None:
    wrapped = FirstOutput(model, list(inputs)).eval()
    ids = [name for name in inputs if name.endswith("ids") or name.endswith("mask")]
    names = {"input_names": list(inputs), "output_names": ["output"], "opset_version": 20 if dynamo else 17}
    if dynamo:
        batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("sequence", min=1, max=20)
        shapes = (tuple({0: batch, 1: length} if name in ids else {0: batch} for name in inputs),)
        torch.onnx.export(wrapped, tuple(inputs.values()), str(path), dynamo=True, external_data=False, dynamic_shapes=shapes,
                          verbose=False, **names)
    else:
        rest = {0: "batch", 2: "height", 3: "width"} if "pixel_values" in inputs else {0: "batch"}
        axes = {name: {0: "batch", 1: "sequence"} if name in ids else rest for name in inputs}
        torch.onnx.export(wrapped, tuple(inputs.values()), str(path), dynamo=False, dynamic_axes=axes, **names)
    strip(path)


for name in sys.argv[1:] or configurations():
    kind, config, options = configurations()[name]
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("dynamo", "script"):
        # A model of its own each time: some keep tables of the type that they last ran in.
        model = randomize(kind(config, **options).eval(), name)
        if hasattr(model, "set_experts_implementation"):
            model.set_experts_implementation("batched_mm")
        inputs, path = inputs_of(name, model), folder / f"{file}.onnx"
        if (name, file) not in NOT_EXPORTED:
            export(model, inputs, path, file == "dynamo")
        # The older exporter resizes the table of positions whatever the size; its graph is compared at another one.
        own = (name, file) == ("dinov2", "script")
        if own:
            inputs = inputs_of(name, model, (10, 12))
        expected = reference(model, inputs, folder / ("script.safetensors" if own else "reference.safetensors"))
        if (name, file) not in NOT_EXPORTED:
            error = difference(path, inputs, expected)
            print(f"{name}/{path.name}: {path.stat().st_size} bytes, max |ONNX Runtime - torch| = {error:.1e}", flush=True)
            assert error <= 2e-5, path
