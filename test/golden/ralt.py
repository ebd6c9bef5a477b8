"""ralt/: what a generator learns from answers behind retrieved passages (RALT), for two questions with three passages each.

    python ralt.py [NAME …]

The weights are those of decoders/{llama,gpt2,qwen2} and seq2seq/{t5,bart}; all of it is computed in float64, each sequence alone
and without padding (a padded batch gives the same, and transformers' own `loss` of it is `answer` `token`).
ralt/NAME.json
  questions     `prompts`: three rows of ids, which begin alike (the question) and go on differently (a passage); `answer`: ids,
                the end of sequence last. A decoder reads prompt and answer in one row; an encoder-decoder reads the prompt in its
                encoder and the answer, behind its start token and without its end, in its decoder
  weights       `weighted` and `zero`: w[i][j] of passage j of question i
  answers       log-likelihoods of the answers' tokens, answers[i][j][t]
  losses        by case and reduction
  gradients     by case and reduction: for every parameter its norm and sum_n g[n] cos(n), n from 0 in C order, which sees
                what a norm does not
ralt/NAME.safetensors, of decoders: `g.PARAMETER`, the gradient of `answer` `token`, stored in float32. PyTorch's own float32
strays from the gradients by 3e-6 of their norm for decoders, 3e-5 for bart and 5e-5 for t5 (encoder attention)

l[i, j, t] is the log-probability of token t of what is trained on: the answer y_i with its end behind prompt x_ij; in the case
`whole` (decoders alone) all tokens of the row x_ij y_i but the first, as language models are trained on plain text. L[i, j] is
its sum over t, T[i, j] the number of these tokens, k = 3, B = 2.
  token         -sum_ij w[i, j] L[i, j] / sum_ij w[i, j] T[i, j]
  example       -mean_i of sum_j w[i, j] L[i, j] / T[i, j] / sum_j w[i, j], over the questions with sum_j w[i, j] > 0
  sum           -sum_ij w[i, j] L[i, j]
Cases `answer` and `whole` have w = 1 everywhere, `weighted` and `zero` are on the answer. A question whose weights are all 0 is
as if it were not there; where all are, the loss is 0. Equal weights 1 / k give what `answer` gives, but `sum` the k-th part.
The gradient of `sum` is that of `token` times sum_ij w T, so it is not kept.
"""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from shared import HERE, Float64, folder, plain_embeddings, save, save_json

DECODERS, SEQ2SEQ = ["llama", "gpt2", "qwen2"], ["t5", "bart"]
VOCABULARY = 96
QUESTIONS = [{"question": 5, "passages": [3, 6, 2], "answer": 3}, {"question": 4, "passages": [4, 1, 7], "answer": 1}]
WEIGHTS = {"weighted": [[0.5, 0.375, 0.125], [0.1, 0.2, 0.7]], "zero": [[0.5, 0.375, 0.125], [0, 0, 0]]}


def examples(model, seed: int) -> list:
    generator = torch.Generator().manual_seed(seed)
    end = model.config.eos_token_id

    def draw(count: int) -> list:
        return torch.randint(3, VOCABULARY, (count,), generator=generator).tolist()

    def example(lengths: dict) -> dict:
        question, last = draw(lengths["question"]), [end] if model.config.is_encoder_decoder else []
        return {"prompts": [question + draw(length) + last for length in lengths["passages"]], "answer": draw(lengths["answer"]) + [end]}

    return [example(lengths) for lengths in QUESTIONS]


def log_likelihoods(model, prompt: list, answer: list, whole: bool) -> torch.Tensor:
    if model.config.is_encoder_decoder:
        inputs = [model.config.decoder_start_token_id, *answer[:-1]]
        logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([inputs])).logits[0]
        targets = answer
    else:
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, 0 if whole else len(prompt) - 1 : -1]
        targets = [*prompt[1:], *answer] if whole else answer
    return logits.log_softmax(-1).gather(-1, torch.tensor(targets)[:, None])[:, 0]


def reductions(rows: list, weights: list) -> dict:
    w = torch.tensor(weights, dtype=torch.float64)
    sums = torch.stack([torch.stack([row.sum() for row in of]) for of in rows])
    counts = torch.tensor([[len(row) for row in of] for of in rows], dtype=torch.float64)
    totals = w.sum(1)
    some = totals > 0
    means = (w * sums / counts).sum(1)[some] / totals[some]
    return {"token": -(w * sums).sum() / (w * counts).sum(), "example": -means.mean(), "sum": -(w * sums).sum()}


def of_transformers(model, questions: list) -> torch.Tensor:
    """The loss of the padded batch."""
    rows = [(prompt, question["answer"]) for question in questions for prompt in question["prompts"]]

    def padded(sequences: list, value: int) -> torch.Tensor:
        width = max(map(len, sequences))
        return torch.tensor([list(row) + [value] * (width - len(row)) for row in sequences])

    if model.config.is_encoder_decoder:
        prompts, labels = [prompt for prompt, _ in rows], [answer for _, answer in rows]
        mask = padded([[1] * len(row) for row in prompts], 0)
        return model(input_ids=padded(prompts, model.config.pad_token_id), attention_mask=mask, labels=padded(labels, -100)).loss
    mask = padded([[1] * len(prompt + answer) for prompt, answer in rows], 0)
    labels = padded([[-100] * len(prompt) + answer for prompt, answer in rows], -100)
    return model(input_ids=padded([prompt + answer for prompt, answer in rows], 0), attention_mask=mask, labels=labels).loss


def compute(name: str, seed: int) -> tuple:
    kind, path = (AutoModelForSeq2SeqLM, "seq2seq") if name in SEQ2SEQ else (AutoModelForCausalLM, "decoders")
    model = kind.from_pretrained(HERE / path / name, attn_implementation="sdpa").eval().double()
    plain_embeddings(model)
    parameters = {key: value for key, value in model.named_parameters() if value.requires_grad}
    questions = examples(model, seed)

    def rows(whole: bool) -> list:
        return [[log_likelihoods(model, prompt, question["answer"], whole) for prompt in question["prompts"]] for question in questions]

    answers = rows(False)
    ones = [[1, 1, 1], [1, 1, 1]]
    cases = {"answer": reductions(answers, ones), **{case: reductions(answers, weights) for case, weights in WEIGHTS.items()}}
    if name in DECODERS:
        cases["whole"] = reductions(rows(True), ones)
    torch.testing.assert_close(of_transformers(model, questions), cases["answer"]["token"], rtol=1e-12, atol=0)

    gradients, kept = {}, {}
    for case, losses in cases.items():
        for reduction in ("token", "example"):
            found = dict(zip(parameters, torch.autograd.grad(losses[reduction], list(parameters.values()), retain_graph=True)))
            waves = {key: torch.cos(torch.arange(value.numel(), dtype=torch.float64)) for key, value in found.items()}
            gradients.setdefault(case, {})[reduction] = {
                key: [float(f"{value.norm():.9g}"), float(f"{(value.flatten() * waves[key]).sum():.9g}")] for key, value in found.items()}
            if (case, reduction) == ("answer", "token"):
                kept = {f"g.{key}": value for key, value in found.items()}
                assert all(value.abs().max() > 0 for value in found.values())
    print(name, {case: {key: round(loss.item(), 4) for key, loss in losses.items()} for case, losses in cases.items()}, flush=True)
    return kept, {
        "questions": questions, "weights": WEIGHTS,
        "answers": [[row.tolist() for row in of] for of in answers],
        "losses": {case: {key: loss.item() for key, loss in losses.items()} for case, losses in cases.items()},
        "gradients": gradients}


if __name__ == "__main__":
    for number, item in enumerate(DECODERS + SEQ2SEQ):
        if item in (sys.argv[1:] or DECODERS + SEQ2SEQ):
            with Float64():
                tensors, values = compute(item, 700 + number)
            save_json(folder("ralt") / f"{item}.json", values, indent=None)
            if item in DECODERS:
                save(folder("ralt") / f"{item}.safetensors", {key: value.float() for key, value in tensors.items()})
