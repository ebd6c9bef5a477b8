"""Language models of transformers, with PEFT's adapters where they are asked for, and their batches."""
import math

import torch
import transformers

from side import uniforms


def load_decoder(folder, lora=None):
    """The model in training mode and the versions of what made it; adapters begin as those of bench/sides do."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.config.use_cache = False
    versions = {"transformers": transformers.__version__}
    if lora is not None:
        import peft

        versions["peft"] = peft.__version__
        config = peft.LoraConfig(r=lora["rank"], lora_alpha=lora["alpha"], lora_dropout=0.0, target_modules=lora["targets"])
        model = peft.get_peft_model(model, config)
        mark = ".lora_A.default.weight"
        firsts = {name: p for name, p in model.named_parameters() if name.endswith(mark)}
        with torch.no_grad():
            for index, name in enumerate(sorted(firsts, key=lambda name: name[: -len(mark)])):
                rank, inputs = firsts[name].shape
                values = torch.tensor(uniforms(rank * inputs, index), dtype=torch.float64).view(rank, inputs)
                firsts[name].copy_((2 * values - 1) / math.sqrt(inputs))
    return model.train(), versions


def collate(rows, pad):
    """Rows of `ids`, padded on the right; the tokens from `from` on are labels."""
    width = max(len(row["ids"]) for row in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), -100)
    for index, row in enumerate(rows):
        length, start = len(row["ids"]), row["from"]
        ids[index, :length] = torch.tensor(row["ids"])
        mask[index, :length] = 1
        labels[index, start:length] = ids[index, start:length]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
