"""transformers and PEFT: fine-tunes a reader on answers behind retrieved passages with LoRA, and lets it answer.

    python ralt-squad.py '{"mode": "train" | "evaluate", "model": FOLDER, "out": FOLDER, "rows": FILE, "threads": 2, …}'

`rows`, JSON lines of token ids: {"question": i, "prompts": [[ids], …], "answer": [ids, end of sequence last]}.

train: `batches`, JSON lines of the questions of each step (absent: `batchSize` rows after one another, in the file's order, for
`epochs`); `lora` {rank, alpha, targets}, or `adapter`, a folder of PEFT's with the values to begin with; `learningRate`,
`weightDecay`, `clip`, `warmup` (a share of the steps, from 0 up, then linearly to 0). Loss: mean over all tokens of the batch's
answers. Writes OUT/metrics.jsonl and OUT/adapter; every `saveEvery` steps OUT/checkpoint.pt, from which the same command goes on.

evaluate: the model with `adapter` (absent: as it is) reads each prompt; a line of OUT/answers.jsonl for each: {"row", "prompt":
which of the row's, "question", "context": the row's, "nll": sum over the answer's tokens, "tokens", "generated": at most
`maxNew` ids, greedily, "text"}. Lines that are there already are not made again.

Rows of similar length are computed together, so there is hardly any padding; logits at the answers' places alone.
"""
import json
import math
import os
import sys
import time

import peft
import torch
import transformers

from side import peak_memory, read_lines

settings = {
    "lora": {"rank": 16, "alpha": 32, "targets": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]},
    "batchSize": 8, "epochs": 1, "learningRate": 2e-4, "weightDecay": 0.01, "clip": 1.0, "warmup": 0.1, "saveEvery": 10,
    "tokens": 1024, "maxNew": 16, "evalBatch": 8, "seed": 0,
} | json.loads(sys.argv[1])
out = settings["out"]
os.makedirs(out, exist_ok=True)
torch.set_num_threads(settings["threads"])
torch.manual_seed(settings["seed"])
rows = read_lines(settings["rows"])
base = transformers.AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32, attn_implementation="sdpa")


def groups_of(sequences, length, fits):
    """The sequences in order of length, as many together as `fits` (of their number and the longest's length) allows."""
    group = []
    for sequence in sorted(sequences, key=length):
        if group and not fits(len(group) + 1, length(sequence)):
            yield group
            group = []
        group.append(sequence)
    if group:
        yield group


def answer_nll(decoder, head, group):
    """Summed over the answers' tokens. Padding stands on the right, where no token of a causal model sees it."""
    width = max(len(prompt) + len(answer) for prompt, answer in group)
    ids = torch.tensor([prompt + answer + [0] * (width - len(prompt) - len(answer)) for prompt, answer in group])
    places = [(i, len(prompt) + t - 1) for i, (prompt, answer) in enumerate(group) for t in range(len(answer))]
    hidden = decoder(input_ids=ids, use_cache=False).last_hidden_state
    logits = head(hidden[[i for i, _ in places], [t for _, t in places]])
    targets = torch.tensor([token for _, answer in group for token in answer])
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")


def planned():
    """The rows of each step."""
    if "batches" in settings:
        by_question = {row["question"]: row for row in rows}
        return [[by_question[question] for question in line] for line in read_lines(settings["batches"])]
    size = settings["batchSize"]
    return [rows[start : start + size] for _ in range(settings["epochs"]) for start in range(0, len(rows) - size + 1, size)]


def train():
    if "adapter" in settings:
        model = peft.PeftModel.from_pretrained(base, settings["adapter"], is_trainable=True)
    else:
        lora = settings["lora"]
        model = peft.get_peft_model(base, peft.LoraConfig(
            r=lora["rank"], lora_alpha=lora["alpha"], lora_dropout=0.0, target_modules=lora["targets"], task_type="CAUSAL_LM"))
    model.train()
    decoder, head = model.get_base_model().model, model.get_base_model().lm_head
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=settings["learningRate"], weight_decay=settings["weightDecay"])
    steps = planned()
    warmup = math.ceil(settings["warmup"] * len(steps))
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, warmup, len(steps))
    checkpoint, metrics, done = f"{out}/checkpoint.pt", f"{out}/metrics.jsonl", 0
    if os.path.exists(checkpoint):
        saved = torch.load(checkpoint)
        done = saved["done"]
        with torch.no_grad():
            for name, value in saved["adapter"].items():
                trained[name].copy_(value)
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
    lines = read_lines(metrics)[:done] if done > 0 else []
    with open(metrics, "w") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
        for step in range(done, len(steps)):
            started = time.perf_counter()
            optimizer.zero_grad()
            pairs = [(prompt, row["answer"]) for row in steps[step] for prompt in row["prompts"]]
            count, loss = sum(len(answer) for _, answer in pairs), 0.0
            for group in groups_of(pairs, lambda pair: len(pair[0]) + len(pair[1]), lambda n, longest: n * longest <= settings["tokens"]):
                part = answer_nll(decoder, head, group) / count
                part.backward()
                loss += part.item()
            norm = float(torch.nn.utils.clip_grad_norm_(trained.values(), settings["clip"]))
            rate = schedule.get_last_lr()[0]
            optimizer.step()
            schedule.step()
            tokens = sum(len(prompt) + len(answer) for prompt, answer in pairs)
            file.write(json.dumps({"step": step + 1, "loss": loss, "lr": rate, "gradNorm": norm, "tokens": tokens,
                                   "seconds": time.perf_counter() - started, "peakMemoryMiB": peak_memory()}) + "\n")
            file.flush()
            if (step + 1) % settings["saveEvery"] == 0 or step + 1 == len(steps):
                torch.save({"done": step + 1, "adapter": {name: p.detach() for name, p in trained.items()},
                            "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, checkpoint + ".part")
                os.replace(checkpoint + ".part", checkpoint)
    model.save_pretrained(f"{out}/adapter")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    print(json.dumps({"steps": len(steps), "versions": versions}))


def step_with(model, cache, ids, mask, kept):
    """Logits of the last `kept` tokens; `mask` is of all tokens so far, padding on the left of the prompts."""
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=kept).logits


def read(model, prompts, answers, ends):
    """Of each prompt the log-likelihood of its answer and the greedy answer; the prompt is computed once for both."""
    count, width = len(prompts), max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
    cache = transformers.DynamicCache(config=model.config)
    first = step_with(model, cache, ids, mask, 1)

    longest = max(map(len, answers))
    given = torch.tensor([row + [0] * (longest - len(row)) for row in answers])
    logits = first
    if longest > 1:
        there = torch.cat([mask, torch.ones(count, longest - 1, dtype=torch.int64)], 1)
        logits = torch.cat([first, step_with(model, cache, given[:, :-1], there, longest - 1)], 1)
        cache.crop(1 - longest)
    told = logits.log_softmax(-1).gather(-1, given[:, :, None])[:, :, 0]
    nll = [-float(told[i, : len(row)].sum()) for i, row in enumerate(answers)]

    made, latest, running = [[] for _ in prompts], first, [True] * count
    for _ in range(settings["maxNew"]):
        tokens = latest[:, -1].argmax(-1)
        for i, token in enumerate(tokens.tolist()):
            if running[i]:
                made[i].append(token)
                running[i] = token not in ends
        if not any(running):
            break
        mask = torch.cat([mask, torch.ones(count, 1, dtype=torch.int64)], 1)
        latest = step_with(model, cache, tokens[:, None], mask, 1)
    return nll, made


def evaluate():
    model = base
    if "adapter" in settings:
        model = peft.PeftModel.from_pretrained(base, settings["adapter"]).merge_and_unload()
    model.eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(settings["model"])
    ends = settings.get("endOfSequence", model.generation_config.eos_token_id)
    ends = ends if isinstance(ends, list) else [ends]
    file_name = f"{out}/answers.jsonl"
    there = []
    if os.path.exists(file_name):
        with open(file_name) as file:
            there = [json.loads(line) for line in file if line.endswith("\n")]
    with open(file_name + ".part", "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in there)
    os.replace(file_name + ".part", file_name)
    finished = {(line["row"], line["prompt"]) for line in there}
    wanted = [(i, j) for i, row in enumerate(rows) for j in range(len(row["prompts"])) if (i, j) not in finished]
    with open(file_name, "a") as file, torch.no_grad():
        for group in groups_of(wanted, lambda at: len(rows[at[0]]["prompts"][at[1]]), lambda n, _: n <= settings["evalBatch"]):
            nll, made = read(model, [rows[i]["prompts"][j] for i, j in group], [rows[i]["answer"] for i, _ in group], ends)
            for (i, j), cost, ids in zip(group, nll, made):
                text = tokenizer.decode([token for token in ids if token not in ends], skip_special_tokens=True)
                about = {key: rows[i][key] for key in ("question", "context") if key in rows[i]}
                file.write(json.dumps({"row": i, "prompt": j, **about, "nll": cost, "tokens": len(rows[i]["answer"]),
                                       "generated": ids, "text": text}) + "\n")
            file.flush()
    lines = read_lines(file_name)
    print(json.dumps({"prompts": len(lines), "nll": sum(line["nll"] for line in lines) / sum(line["tokens"] for line in lines)}))


{"train": train, "evaluate": evaluate}[settings["mode"]]()
