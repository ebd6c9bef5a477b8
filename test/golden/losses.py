"""in-batch-nll.json: float64 values and gradients of the in-batch negative log-likelihood, case by case.

Queries q [B, 6], passages c [N, 6]; positives first (passage b belongs to query b), hard negatives after them, N >= B.
  scores    s = q @ c.T / temperature           (dot)
            s = normalize(q) @ normalize(c).T / temperature   (cosine, L2, last dimension)
  forward   mean_b ( logsumexp_{j not masked for b} s[b, j] - s[b, b] )
  symmetric (forward + backward) / 2 with backward = mean_b ( logsumexp_a s[a, b] - s[b, b] ): over the columns of the
            positives only (b < B), every query a competing; columns of hard negatives take no part in it
Several positives (`relevant[b][j]` true for every passage that answers query b, its own positive included):
  exclude   (the default) the query's other positives leave the denominator; the numerator stays s[b, b]
  sum       -log of the summed probability: mean_b ( logsumexp_j s[b, j] - logsumexp_{j relevant} s[b, j] )
  mean      mean_b ( logsumexp_j s[b, j] - mean_{j relevant} s[b, j] )
Gradients are of the reduced loss, towards the raw q and c (through the normalisation where cosine). `scaleGradient` is
the derivative by the scale 1 / temperature.
"""

import torch

from shared import HERE, floats, save_json

WIDTH = 6


def loss(q, c, scale, similarity="dot", symmetric=False, relevant=None, reading="exclude"):
    if similarity == "cosine":
        q, c = q / q.norm(dim=-1, keepdim=True), c / c.norm(dim=-1, keepdim=True)
    scores = scale * (q @ c.T)
    batch = len(q)
    own = torch.eye(batch, len(c), dtype=torch.bool)
    relevant = own if relevant is None else relevant
    assert bool((relevant & own).sum() == batch)
    if reading == "exclude":
        forward = scores.masked_fill(relevant & ~own, -torch.inf).logsumexp(1) - scores[own]
    elif reading == "sum":
        forward = scores.logsumexp(1) - scores.masked_fill(~relevant, -torch.inf).logsumexp(1)
    else:
        forward = scores.logsumexp(1) - (scores * relevant).sum(1) / relevant.sum(1)
    if not symmetric:
        return forward.mean(), forward, scores
    backward = scores[:, :batch].logsumexp(0) - scores[own]
    return (forward.mean() + backward.mean()) / 2, (forward + backward) / 2, scores


def case(name: str, seed: int, batch: int, negatives: int = 0, temperature: float = 1.0, spread: float = 1.0, **options) -> dict:
    generator = torch.Generator().manual_seed(seed)
    q = (spread * torch.randn(batch, WIDTH, generator=generator, dtype=torch.float64)).requires_grad_()
    near = 0.5 * q.detach() + spread * torch.randn(batch, WIDTH, generator=generator, dtype=torch.float64)
    others = spread * torch.randn(negatives, WIDTH, generator=generator, dtype=torch.float64)
    c = torch.cat([near, others]).requires_grad_()
    scale = torch.tensor(1 / temperature, dtype=torch.float64, requires_grad=True)
    value, rows, scores = loss(q, c, scale, **options)
    dq, dc, ds = torch.autograd.grad(value, [q, c, scale])
    assert torch.autograd.gradcheck(lambda a, b, s: loss(a, b, s, **options)[0], (q, c, scale))
    if options.get("similarity") != "cosine" and not options.get("symmetric") and "relevant" not in options:
        torch.testing.assert_close(value, torch.nn.functional.cross_entropy(scores, torch.arange(batch)))
    entry = {
        "name": name,
        "options": {
            "similarity": options.get("similarity", "dot"), "temperature": temperature,
            "symmetric": options.get("symmetric", False),
            "multiPositive": options.get("reading", "exclude") if "relevant" in options else None,
        },
        "queries": floats(q), "passages": floats(c), "positives": list(range(batch)),
        "scores": floats(scores), "perQuery": floats(rows), "loss": value.item(),
        "queryGradient": floats(dq), "passageGradient": floats(dc), "scaleGradient": ds.item(),
    }
    if "relevant" in options:
        entry["relevant"] = options["relevant"].tolist()
    return entry


def relevance(batch: int, passages: int, pairs: list) -> torch.Tensor:
    relevant = torch.eye(batch, passages, dtype=torch.bool)
    for query, passage in pairs:
        relevant[query, passage] = True
    return relevant


def main() -> None:
    # Queries 0 and 2 share an answer; query 1 is also answered by 3's passage, and by a hard negative where there are any.
    pairs = [(0, 2), (2, 0), (1, 3)]
    plain, hard = relevance(5, 5, pairs), relevance(4, 8, [*pairs, (1, 6)])
    cases = [
        case("dot", 11, 5),
        case("dot, temperature 0.05", 12, 5, temperature=0.05, spread=0.3),
        case("cosine", 13, 5, similarity="cosine"),
        case("cosine, temperature 0.05", 14, 4, temperature=0.05, similarity="cosine"),
        case("symmetric", 15, 5, symmetric=True),
        case("symmetric, cosine, temperature 0.05", 16, 4, temperature=0.05, similarity="cosine", symmetric=True),
        case("one hard negative per query", 17, 4, negatives=4),
        case("two hard negatives per query, cosine, temperature 0.05", 18, 4, negatives=8, temperature=0.05, similarity="cosine"),
        case("symmetric, one hard negative per query", 19, 4, negatives=4, symmetric=True),
        case("several positives, excluded", 20, 5, relevant=plain),
        case("several positives, excluded, hard negatives", 21, 4, negatives=4, relevant=hard),
        case("several positives, excluded, cosine, temperature 0.05", 22, 5, temperature=0.05, similarity="cosine", relevant=plain),
        case("several positives, summed", 20, 5, relevant=plain, reading="sum"),
        case("several positives, summed, hard negatives", 21, 4, negatives=4, relevant=hard, reading="sum"),
        case("several positives, averaged", 20, 5, relevant=plain, reading="mean"),
    ]
    lines = [line for line in (__doc__ or "").strip().splitlines()]
    save_json(HERE / "in-batch-nll.json", {"about": lines, "cases": cases}, indent=None)
    for entry in cases:
        print(f"{entry['loss']:.12f}  {entry['name']}")


if __name__ == "__main__":
    main()
