"""sentence-transformers' model and MultipleNegativesRankingLoss on the batches of bench/sides/dual-encoder-squad.ts."""
import json
import sys
import time

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from side import answer

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
run = settings["run"]
with open(settings["batches"]) as file:
    batches = [json.loads(line) for line in file]
model = SentenceTransformer(run["model"], device="cpu").train()
model.max_seq_length = run["maxLength"]
if run["dropout"] != "model":
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = run["dropout"]
loss_of = MultipleNegativesRankingLoss(model, scale=20)
plain = [p for p in model.parameters() if p.ndim < 2]
decayed = [p for p in model.parameters() if p.ndim >= 2]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=run["lr"]
)
done = 0


def step():
    global done
    pairs = batches[done]
    done += 1
    features = [model.preprocess(list(texts)) for texts in zip(*pairs)]
    optimizer.zero_grad()
    loss = loss_of(features, None)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def round_of_work():
    started = time.perf_counter()
    values = [step() for _ in range(settings["steps"])]
    return (time.perf_counter() - started) / settings["steps"], values


step()
answer(
    round_of_work,
    torch=torch.__version__,
    transformers=transformers.__version__,
    **{"sentence-transformers": sentence_transformers.__version__},
)
