"""answer-log-likelihood.json: float64 log-likelihoods of answers from logits, targets and a mask, and their gradients.

Logits x [B, T, V]; the target y [B, T] of a place is the token that its logit predicts; mask m [B, T].
  token log-probability     l[b, t] = log_softmax(x[b, t])[y[b, t]]
  perToken                  m l
  perSequence, counts       L[b] = sum_t m l, n[b] = sum_t m
  token                     -sum_b L[b] / sum_b n[b]         (F.cross_entropy with ignore_index, where m is 0 or 1)
  example                   -mean_b L[b] / n[b], over the rows with a token
  sum                       -sum_b L[b]
`gradients` are those of the three by the logits. `places` [P] are numbers b T + t: the same answers, read off the logits of
these places alone.
"""

import torch
import torch.nn.functional as F

from shared import HERE, floats, save_json

IGNORED = -100


def reductions(x, y, m):
    safe = torch.where(m == 0, 0, y)
    tokens = m * x.log_softmax(-1).gather(-1, safe[..., None])[..., 0]
    rows, counts = tokens.sum(1), m.sum(1)
    some = counts > 0
    zero = 0 * x.sum()
    losses = {
        "token": -rows.sum() / counts.sum() if some.any() else zero,
        "example": -(rows[some] / counts[some]).mean() if some.any() else zero,
        "sum": -rows.sum(),
    }
    return losses, tokens, rows, counts


def case(name: str, seed: int, lengths: list, tokens: int, vocabulary: int, spread=1.0, offset=0.0, weights=None, sure=False) -> dict:
    generator = torch.Generator().manual_seed(seed)
    batch = len(lengths)
    x = spread * torch.randn(batch, tokens, vocabulary, generator=generator, dtype=torch.float64) + offset
    # What 32-bit floats hold, so that both sides read the same numbers
    x = x.float().double().requires_grad_()
    m = torch.zeros(batch, tokens, dtype=torch.float64)
    for row, (start, end) in enumerate(lengths):
        m[row, start:end] = 1 if weights is None else weights[row]
    y = x.detach().argmax(-1) if sure else torch.randint(0, vocabulary, (batch, tokens), generator=generator)
    y = torch.where(m == 0, IGNORED, y)
    losses, per_token, per_sequence, counts = reductions(x, y, m)
    gradients = {key: torch.autograd.grad(loss, x, retain_graph=True)[0] for key, loss in losses.items()}
    if weights is None and counts.sum() > 0:
        torch.testing.assert_close(losses["token"], F.cross_entropy(x.flatten(0, 1), y.flatten(), ignore_index=IGNORED))
        assert torch.autograd.gradcheck(lambda logits: tuple(reductions(logits, y, m)[0].values()), (x,))
    places = [row * tokens + column for row, (start, end) in enumerate(lengths) for column in range(start, end)]
    return {
        "name": name,
        "logits": floats(x), "targets": y.tolist(), "mask": floats(m), "places": places,
        "perToken": floats(per_token), "perSequence": floats(per_sequence), "counts": floats(counts),
        "losses": {key: loss.item() for key, loss in losses.items()},
        "gradients": {key: floats(gradient) for key, gradient in gradients.items()},
    }


def main() -> None:
    cases = [
        case("answers of several lengths", 31, [(0, 4), (1, 2), (2, 4)], 4, 5),
        case("one answer is empty", 32, [(0, 3), (2, 2), (2, 4)], 4, 5),
        case("large logits far from zero", 33, [(0, 3), (1, 2)], 3, 6, spread=20, offset=-300),
        case("almost certain", 34, [(0, 2), (0, 1)], 2, 4, spread=12, offset=60, sure=True),
        case("weighted sequences", 35, [(0, 3), (1, 3), (0, 1)], 3, 5, weights=[0.5, 0.2, 0.3]),
    ]
    lines = [line for line in (__doc__ or "").strip().splitlines()]
    save_json(HERE / "answer-log-likelihood.json", {"about": lines, "cases": cases}, indent=None)
    for entry in cases:
        print(" ".join(f"{value:.12f}" for value in entry["losses"].values()), entry["name"])


if __name__ == "__main__":
    main()
