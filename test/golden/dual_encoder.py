"""dual-encoder/: 20 steps of AdamW on a shared tower (the bert-tiny weights), with all that a step computes.

Step t (from 0), batch 4, one hard negative per query, no dropout:
  embedding  = l2_normalize(mean over real tokens of last_hidden_state)
  scores     = 20 * queries @ passages.T          passages: 4 positives (row b belongs to query b), then 4 negatives
  loss       = mean_b -log softmax(scores[b])[b]
  norm       = sqrt(sum over parameters of ||gradient||^2); gradients *= min(1, 1 / (norm + 1e-6))
  lr_t       = 1e-3 * (t / 2 if t < 2 else (20 - t) / 18)   (Hugging Face's get_linear_schedule_with_warmup(2, 20); lr_0 = 0)
  AdamW      = torch.optim.AdamW, betas (.9, .999), eps 1e-8, weight decay .01, none on biases and LayerNorm weights
`lossesWithoutTraining` is the control: the same batches by the weights of the start.
The whole is repeated in float64; `float64` in losses.json says how far float32 strays, which bounds what a test may ask.
"""

import math

import torch
from safetensors.torch import load_file
from transformers import get_linear_schedule_with_warmup

from encoders import bert
from shared import HERE, floats, folder, plain_embeddings, save, save_json

STEPS, BATCH, WARMUP, LR, SCALE, CLIP = 20, 4, 2, 1e-3, 20.0, 1.0


def padded(rows: list) -> dict:
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    mask = torch.zeros(len(rows), width, dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def batches() -> list:
    """A query shares half its tokens with its positive, and a few with its hard negative, so that there is something to learn."""
    generator = torch.Generator().manual_seed(7)

    def tokens(low: int, high: int) -> list:
        count = int(torch.randint(low, high, (1,), generator=generator))
        return torch.randint(5, 120, (count,), generator=generator).tolist()

    steps = []
    for _ in range(STEPS):
        queries, positives, negatives = [], [], []
        for _ in range(BATCH):
            query = tokens(3, 11)
            queries.append([2, *query, 3])
            positives.append([2, *tokens(1, 6), *query[: (len(query) + 1) // 2], *tokens(1, 6), 3])
            negatives.append([2, *tokens(1, 9), *query[-(len(query) // 4):], *tokens(1, 6), 3])
        steps.append({"query": padded(queries), "passage": padded(positives + negatives)})
    return steps


def embed(model, inputs: dict) -> torch.Tensor:
    hidden = model(**inputs, token_type_ids=torch.zeros_like(inputs["input_ids"])).last_hidden_state
    mask = inputs["attention_mask"][..., None].to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def start(dtype: torch.dtype):
    model = bert()
    model.load_state_dict(load_file(HERE / "bert-tiny" / "model.safetensors"))
    plain_embeddings(model)
    return model.to(dtype).eval()


def objective(model, batch: dict) -> torch.Tensor:
    scores = SCALE * embed(model, batch["query"]) @ embed(model, batch["passage"]).T
    return torch.nn.functional.cross_entropy(scores, torch.arange(BATCH))


def train(data: list, dtype: torch.dtype) -> dict:
    model = start(dtype)
    plain = {n: p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n}
    decayed = {n: p for n, p in model.named_parameters() if n not in plain}
    optimizer = torch.optim.AdamW(
        [{"params": list(decayed.values()), "weight_decay": 0.01}, {"params": list(plain.values()), "weight_decay": 0.0}],
        lr=LR, betas=(0.9, 0.999), eps=1e-8,
    )
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    record = {"losses": [], "norms": [], "rates": [], "first": {}, "model": model, "undecayed": list(plain)}
    for step, batch in enumerate(data):
        optimizer.zero_grad()
        loss = objective(model, batch)
        loss.backward()
        if step == 0:
            record["first"] = {n: p.grad.clone() for n, p in model.named_parameters()}
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        rate = optimizer.param_groups[0]["lr"]
        expected = LR * (step / WARMUP if step < WARMUP else (STEPS - step) / (STEPS - WARMUP))
        assert math.isclose(rate, expected, rel_tol=1e-12, abs_tol=1e-18)
        optimizer.step()
        schedule.step()
        record["losses"].append(loss.detach())
        record["norms"].append(norm.detach())
        record["rates"].append(rate)
    return record


def main() -> None:
    path = folder("dual-encoder")
    data = batches()
    run, exact = train(data, torch.float32), train(data, torch.float64)
    untrained = start(torch.float32)
    before = dict(untrained.named_parameters())
    final = dict(run["model"].named_parameters())
    drift = {}
    for name, value in exact["model"].named_parameters():
        moved = (value - before[name]).norm()
        drift[name] = {"moved": float(moved), "relativeError": float((final[name] - value).norm() / moved)}
    save_json(path / "losses.json", {
        "steps": STEPS, "batch": BATCH, "scale": SCALE, "clip": CLIP,
        "optimizer": {"name": "AdamW", "learningRate": LR, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.01},
        "schedule": "lr_t = 1e-3 * (t / 2 if t < 2 else (20 - t) / 18), t from 0",
        "withoutWeightDecay": run["undecayed"],
        "losses": floats(torch.stack(run["losses"])),
        "gradientNorms": floats(torch.stack(run["norms"])),
        "learningRates": run["rates"],
        "lossesWithoutTraining": floats(torch.stack([objective(untrained, batch).detach() for batch in data])),
        "float64": {
            "losses": floats(torch.stack(exact["losses"])),
            "gradientNorms": floats(torch.stack(exact["norms"])),
            "finalWeights": drift,
        },
    })
    save(path / "batches.safetensors", {
        f"step{step:02d}.{side}.{name}": value
        for step, batch in enumerate(data) for side, inputs in batch.items() for name, value in inputs.items()
    })
    save(path / "first-gradients.safetensors", run["first"])
    save(path / "final.safetensors", final)
    print("losses", [f"{float(x):.4f}" for x in run["losses"]])
    print("norms ", [f"{float(x):.3f}" for x in run["norms"]])
    print("largest |loss32 - loss64|", max(abs(float(a - b)) for a, b in zip(run["losses"], exact["losses"])))
    for name, entry in sorted(drift.items(), key=lambda item: -item[1]["relativeError"])[:6]:
        print(name, entry)


if __name__ == "__main__":
    main()
