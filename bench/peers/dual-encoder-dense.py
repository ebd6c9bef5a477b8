"""PyTorch eager: the same steps as bench/sides/dual-encoder-dense.ts."""
import json
import sys
import time

import torch
import transformers

from side import answer, ids

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
model = transformers.BertModel.from_pretrained(settings["model"], add_pooling_layer=False).train()
for module in model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.0
batch, tokens, vocabulary = settings["batch"], settings["tokens"], model.config.vocab_size
plain = [p for p in model.parameters() if p.ndim < 2]
decayed = [p for p in model.parameters() if p.ndim >= 2]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=settings["learningRate"]
)
mask = torch.ones(batch, tokens, dtype=torch.long)
done = 0


def embed(seed):
    input_ids = torch.tensor(ids(batch * tokens, seed, vocabulary)).view(batch, tokens)
    hidden = model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    return torch.nn.functional.normalize(hidden.mean(1), dim=-1)


def step():
    global done
    optimizer.zero_grad()
    scores = embed(2 * done) @ embed(2 * done + 1).T * 20
    loss = torch.nn.functional.cross_entropy(scores, torch.arange(batch))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    done += 1
    return loss.item()


def round_of_work():
    started = time.perf_counter()
    values = [step() for _ in range(settings["steps"])]
    return (time.perf_counter() - started) / settings["steps"], values


step()
answer(round_of_work, torch=torch.__version__, transformers=transformers.__version__)
