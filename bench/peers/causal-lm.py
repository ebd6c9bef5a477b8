"""transformers, and PEFT for adapters: the steps of bench/sides/causal-lm.ts."""
import json
import math
import sys

import torch
import transformers

from side import read_lines, uniforms
from steps import answer_with_steps

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
batches = read_lines(settings["batches"])
model = transformers.AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32)
model.config.use_cache = False
versions = {"transformers": transformers.__version__}
lora = settings.get("lora")
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
model.train()
pad = model.config.pad_token_id or 0


def collate(rows):
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


def loss_of(step):
    return model(**collate(batches[step])).loss


answer_with_steps(model, loss_of, settings["learningRate"], settings["steps"], **versions)
