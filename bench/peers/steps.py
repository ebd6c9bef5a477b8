"""Training steps in PyTorch: forward, backward, clip, AdamW, as all peers take them."""
import time

import torch

from side import answer


def set_dropout(model, rate):
    """Sets every dropout's rate."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = rate


def answer_with_steps(model, loss_of, rate, steps, warmup=1, skipped=0, **versions):
    """Takes `warmup` steps, then `steps` in each round; `loss_of` gives the loss of the step of a number, from `skipped` on."""
    trained = [p for p in model.parameters() if p.requires_grad]
    plain = [p for p in trained if p.ndim < 2]
    decayed = [p for p in trained if p.ndim >= 2]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=rate)
    done = skipped

    def step():
        nonlocal done
        optimizer.zero_grad()
        loss = loss_of(done)
        done += 1
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    def round_of_work():
        started = time.perf_counter()
        values = [step() for _ in range(steps)]
        return (time.perf_counter() - started) / steps, values

    for _ in range(warmup):
        step()
    answer(round_of_work, torch=torch.__version__, **versions)
