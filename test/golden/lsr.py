"""lsr/: a retriever taught by a frozen language model (LSR and its siblings), loss and every gradient of both encoders.

    python lsr.py

Questions, passages, prompts, answers and models are those of joint/{llama,bart}.json (joint.py): the first question has three
passages, the second two, the third none, and they count 1, 0.5 and 1. All of it is computed in float64.
lsr/NAME.json
  likelihoods   L[b, i] = log p(answer | prompt with passage i), by question
  cases         `loss` (settings by the names of `LsrLossSettings`), `value`, and `gradients`: for every parameter of `query/` and
                `passage/` its norm and sum_n g[n] cos(n), n from 0 in C order

With p the softmax of similarities / retrieverTemperature over a question's passages, n its answer's tokens, t a constant:
  lsr            retriever-lm: KL(p || t), lm-retriever: KL(t || p), t = softmax(score / temperature), score exp L, L or L / n
  pdist          KL(t || p) of L / n
  loop           KL(t || p), t = softmax(-L / n / temperature) or of -L: here the L above stand for those without a passage
  emdr2          -log sum_i p_i exp L_i
  distillation   retrieverTemperature^2 KL, t = softmax(L / temperature), L standing for another model's scores
  margin-mse     ((s_0 - s_j) - (L_0 - L_j))^2 over pairs of the first passage and another
The value is sum_b w_b loss_b / sum_b w_b over questions that have a passage, for margin-mse over pairs.
"""

import torch

from joint import CASES, WEIGHTS, draw_questions, embed, encoders, log_probabilities
from shared import HERE, Float64, folder, plain_embeddings, save_json
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM


def cases_of(temperature: float, mean: float) -> list:
    """`mean`: the mean likelihood, so that probabilities over a temperature are about 1."""
    def one(kind: str, lm: float = 0.5, **more) -> dict:
        return {"kind": kind, "retrieverTemperature": temperature, "languageModelTemperature": lm, "flatBelow": 0, **more}

    scores = [("prob", float(f"{torch.tensor(mean).exp().item():.3g}")), ("logprob", 2), ("meanLogprob", 0.25)]
    return [*(one("lsr", lm, direction=direction, score=score) for direction in ("retriever-lm", "lm-retriever") for score, lm in scores),
            one("pdist"), one("loop", score="logprob"), one("loop", score="meanLogprob"), one("emdr2"),
            one("distillation", direction="lm-retriever"), one("distillation", direction="retriever-lm"), one("margin-mse")]


def kl(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first.exp() * (first - second)).sum()


def loss_of(loss: dict, s: torch.Tensor, likelihoods: torch.Tensor, tokens: int) -> torch.Tensor:
    kind, tau = loss["kind"], loss["languageModelTemperature"]
    prior = (s / loss["retrieverTemperature"]).log_softmax(0)
    if kind == "emdr2":
        return -(prior + likelihoods).logsumexp(0)
    if kind == "margin-mse":
        return (((s[0] - s[1:]) - (likelihoods[0] - likelihoods[1:])) ** 2).sum()
    by = {"prob": likelihoods.exp(), "logprob": likelihoods, "meanLogprob": likelihoods / tokens}
    default = "logprob" if kind == "distillation" else "meanLogprob"
    target = (by[loss.get("score", default)] * (-1 if kind == "loop" else 1) / tau).log_softmax(0)
    value = kl(prior, target) if loss.get("direction") == "retriever-lm" else kl(target, prior)
    return value * (loss["retrieverTemperature"] ** 2 if kind == "distillation" else 1)


def compute(name: str, seed: int) -> dict:
    case = CASES[name]
    kind, path = (AutoModelForCausalLM, "decoders") if name == "llama" else (AutoModelForSeq2SeqLM, "seq2seq")
    generator = kind.from_pretrained(HERE / path / name, attn_implementation="sdpa").eval().double()
    query, passage = (model.double() for model in encoders())
    for model in (query, passage, generator):
        plain_embeddings(model)
    parameters = {f"{part}/{key}": value for part, model in (("query", query), ("passage", passage))
                  for key, value in model.named_parameters() if value.requires_grad}
    rows, likelihoods = [], []
    for question, weight in zip(draw_questions(generator, seed), WEIGHTS):
        answer = question["answer"]
        with torch.no_grad():
            sums = [log_probabilities(generator, each["prompt"], answer).gather(-1, torch.tensor(answer)[:, None]).sum() for each in question["passages"]]
        likelihoods.append([value.item() for value in sums])
        if not sums:
            continue
        own = embed(query, question["query"]["ids"], case)
        s = torch.stack([embed(passage, each["ids"], case) @ own for each in question["passages"]])
        rows.append((s, torch.stack(sums), len(answer), weight))
    found = []
    for loss in cases_of(case["temperature"], torch.cat([each for _, each, _, _ in rows]).mean().item()):
        counts = [weight * (len(s) - 1 if loss["kind"] == "margin-mse" else 1) for s, _, _, weight in rows]
        value = sum(weight * loss_of(loss, s, each, tokens) for s, each, tokens, weight in rows) / sum(counts)
        gradients = dict(zip(parameters, torch.autograd.grad(value, list(parameters.values()), retain_graph=True, materialize_grads=True)))
        found.append({"loss": loss, "value": value.item(), "gradients": {
            key: [float(f"{grad.norm():.9g}"), float(f"{(grad.flatten() * torch.cos(torch.arange(grad.numel()).double())).sum():.9g}")]
            for key, grad in gradients.items()}})
        print(name, loss["kind"], loss.get("direction", ""), loss.get("score", ""), round(value.item(), 5), flush=True)
    return {"likelihoods": likelihoods, "cases": found}


if __name__ == "__main__":
    for number, item in enumerate(CASES):
        if item in ("llama", "bart"):
            with Float64():
                values = compute(item, 1400 + number)
            save_json(folder("lsr") / f"{item}.json", values, indent=None)
