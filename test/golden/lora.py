"""lora/: adapters as PEFT writes them, with the outputs and the adapters' gradients that PEFT computes; and the reverse.

NAME/adapter_config.json, adapter_model.safetensors: as `save_pretrained` writes them; A and B are random, B not zero
NAME/reference.safetensors: in.*, loss, g.TENSOR for every tensor of the adapter under its name in the file,
  m.WEIGHT for every weight that the adapter changes, after `merge_and_unload`
  bert (base bert-tiny): R, out; loss = sum(out · R) / numel(out)
  llama, gpt2 (bases decoders/NAME): logits, loss as decoders.py has it
written/NAME/: adapters that write-adapters.ts wrote; out.safetensors is what PEFT computes with them

    python lora.py           makes everything but written/*/adapter_*
"""

import json

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BertModel

from decoders import objective
from shared import HERE, folder, plain_embeddings, save

SETTINGS = {
    "bert": dict(r=3, lora_alpha=6, target_modules=["query", "value", "attention.output.dense", "intermediate.dense"], task_type="FEATURE_EXTRACTION"),
    "llama": dict(r=4, lora_alpha=3, use_rslora=True, target_modules=["q_proj", "k_proj", "v_proj", "gate_proj", "down_proj"], task_type="CAUSAL_LM"),
    "gpt2": dict(r=2, lora_alpha=5, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True, task_type="CAUSAL_LM"),
}


def base(name: str):
    if name == "bert":
        model = BertModel.from_pretrained(HERE / "bert-tiny", add_pooling_layer=False, attn_implementation="eager")
    else:
        model = AutoModelForCausalLM.from_pretrained(HERE / f"decoders/{name}", attn_implementation="eager")
    plain_embeddings(model)
    return model.eval()


def batch_of(name: str) -> dict:
    path = "bert-tiny" if name == "bert" else f"decoders/{name}"
    tensors = load_file(HERE / path / "reference.safetensors")
    return {key: tensors[key] for key in tensors if key.startswith("in.") or key == "R"}


def compute(name: str, model, batch: dict) -> dict:
    inputs = {key[3:]: value for key, value in batch.items() if key.startswith("in.")}
    if name == "bert":
        out = model(**inputs).last_hidden_state
        return {"out": out, "loss": (out * batch["R"]).sum() / out.numel()}
    logits, loss = objective(model, inputs)
    return {"logits": logits, "loss": loss}


def file_name(parameter: str) -> str:
    return parameter.replace(".default.weight", ".weight")


def make(name: str, seed: int) -> None:
    path = folder(f"lora/{name}")
    model = get_peft_model(base(name), LoraConfig(**SETTINGS[name], lora_dropout=0.1))
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    adapters = {key: value for key, value in model.named_parameters() if "lora_" in key}
    with torch.no_grad():
        for _, value in sorted(adapters.items()):
            value.copy_(0.3 * torch.randn(value.shape, generator=generator))
    model.save_pretrained(path)
    (path / "README.md").unlink()
    (path / "adapter_model.safetensors").chmod(0o644)
    config = json.loads((path / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "bert-tiny" if name == "bert" else f"decoders/{name}"
    config["target_modules"] = sorted(config["target_modules"])
    (path / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")

    batch = batch_of(name)
    result = compute(name, model, batch)
    result["loss"].backward()
    reference = batch | result
    for key, value in adapters.items():
        assert value.grad is not None and value.grad.abs().max() > 0, key
        reference[f"g.{file_name(key)}"] = value.grad
    stored = load_file(path / "adapter_model.safetensors")
    assert set(stored) == {file_name(key) for key in adapters}
    changed = {key.removeprefix("base_model.model.").split(".lora_")[0] for key in stored}
    merged = model.merge_and_unload()
    with torch.no_grad():
        again = compute(name, merged, batch)["loss"]
    assert abs(float(again) - float(result["loss"])) < 1e-5
    reference |= {f"m.{key}": value for key, value in merged.state_dict().items() if key.removesuffix(".weight") in changed}
    save(path / "reference.safetensors", reference)
    print(name, f"loss {float(result['loss']):.5f}", len(stored), "tensors")


def read_back(name: str) -> None:
    path = HERE / "lora/written" / name
    model = PeftModel.from_pretrained(base(name), path).eval()
    stored = load_file(path / "adapter_model.safetensors")
    loaded = {file_name(key): value for key, value in model.state_dict().items() if "lora_" in key}
    assert set(stored) == set(loaded), set(stored) ^ set(loaded)
    assert all(torch.equal(stored[key], loaded[key]) for key in stored)
    with torch.no_grad():
        result = compute(name, model, batch_of(name))
    save_file({key: value.contiguous() for key, value in result.items()}, str(path / "out.safetensors"))
    print("read back", name, f"loss {float(result['loss']):.5f}")


if __name__ == "__main__":
    for seed, name in enumerate(SETTINGS, start=500):
        make(name, seed)
    for path in sorted((HERE / "lora/written").glob("*")):
        read_back(path.name)
