"""bert-tiny/ and distilbert-tiny/: a random encoder, its exports, and PyTorch's output, loss and every gradient."""

import sys

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

from shared import check_export, export, folder, plain_embeddings, randomize, save


def bert() -> BertModel:
    config = BertConfig(
        architectures=["BertModel"], vocab_size=120, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64, type_vocab_size=2,
    )
    return BertModel(config, add_pooling_layer=False)


def distilbert() -> DistilBertModel:
    config = DistilBertConfig(
        architectures=["DistilBertModel"], vocab_size=120, dim=32, n_layers=2, n_heads=4, hidden_dim=64,
        max_position_embeddings=64,
    )
    return DistilBertModel(config)


def example(seed: int, token_types: bool) -> dict:
    """Three rows of 10, 7 and 4 real tokens; the last two padded with 0; token types 1 in the second part of each row."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([10, 7, 4])
    positions = torch.arange(10)[None, :]
    mask = (positions < lengths[:, None]).long()
    ids = torch.randint(5, 120, (3, 10), generator=generator)
    ids[:, 0] = 2
    ids[torch.arange(3), lengths - 1] = 3
    inputs = {"input_ids": ids * mask, "attention_mask": mask}
    if token_types:
        inputs["token_type_ids"] = (positions >= (lengths[:, None] + 1) // 2).long() * mask
    return inputs


def make(name: str, model: torch.nn.Module, seed: int, token_types: bool) -> None:
    path = folder(name)
    model.eval()
    randomize(model, seed)
    plain_embeddings(model)
    inputs = example(seed + 1, token_types)

    model.config.save_pretrained(path)
    save(path / "model.safetensors", model.state_dict(), {"format": "pt"})

    out = model(**inputs).last_hidden_state
    cotangent = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed + 2))
    loss = (out * cotangent).sum() / out.numel()
    loss.backward()
    reference = {f"in.{k}": v for k, v in inputs.items()} | {"R": cotangent, "out": out, "loss": loss}
    for parameter, value in model.named_parameters():
        assert value.grad is not None, parameter
        reference[f"w.{parameter}"] = value
        reference[f"g.{parameter}"] = value.grad
    save(path / "reference.safetensors", reference)

    for file, dynamo, opset in [("dynamo", True, 20), ("script", False, 17), ("script-opset14", False, 14)]:
        target = path / f"{file}.onnx"
        export(model, inputs, target, dynamo, opset)
        print(f"{name}/{target.name}: {target.stat().st_size} bytes, max |ONNX Runtime - torch| = {check_export(target, model, inputs):.1e}")

    again = load_file(path / "reference.safetensors")
    assert torch.equal(again["out"], out) and set(again) == set(reference)
    assert abs(float((again["out"] * again["R"]).sum() / again["out"].numel() - again["loss"])) < 1e-6


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["bert-tiny", "distilbert-tiny"]
    if "bert-tiny" in wanted:
        make("bert-tiny", bert(), 1, token_types=True)
    if "distilbert-tiny" in wanted:
        make("distilbert-tiny", distilbert(), 101, token_types=False)
