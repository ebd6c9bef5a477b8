"""transformers, and PEFT for adapters: the steps of bench/sides/causal-lm.ts."""
import json
import math
import sys
import time

import torch
import transformers

from side import answer, uniforms

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
with open(settings["batches"]) as file:
    batches = [json.loads(line) for line in file]
model = transformers.AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32)
model.config.use_cache = False
versions = {"torch": torch.__version__, "transformers": transformers.__version__}
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
trained = [p for p in model.parameters() if p.requires_grad]
plain = [p for p in trained if p.ndim < 2]
decayed = [p for p in trained if p.ndim >= 2]
groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=settings["learningRate"])
pad = model.config.pad_token_id or 0
done = 0


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


def step():
    global done
    batch = collate(batches[done])
    done += 1
    optimizer.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    return loss.item()


def round_of_work():
    started = time.perf_counter()
    values = [step() for _ in range(settings["steps"])]
    return (time.perf_counter() - started) / settings["steps"], values


step()
answer(round_of_work, **versions)
