"""graded.json: figures of trec_eval for graded judgements, by way of pytrec_eval, query by query.

Fifteen queries over forty documents: grades from -1 to 4, scores with many ties, judged documents that the run lacks,
documents that nobody judged, one query without a relevant document and one whose relevant ones were not returned.
"""

import json
import random
from pathlib import Path

import pytrec_eval

CUTS = [1, 3, 5, 10, 20]
MEASURES = {"map", "Rprec", "recip_rank", "ndcg", *(f"{name}.{','.join(map(str, CUTS))}" for name in ("P", "recall", "ndcg_cut"))}


def judgements(draw: random.Random, query: int) -> dict[str, int]:
    documents = draw.sample(range(60), 14)
    grades = [0] if query == 7 else [-1, 0, 0, 1, 1, 2, 3, 4]
    if query == 11:
        documents = list(range(40, 54))
    return {f"d{document}": draw.choice(grades) for document in documents}


def ranking(draw: random.Random) -> dict[str, float]:
    return {f"d{document}": draw.randrange(12) / 4 for document in draw.sample(range(40), 25)}


def main() -> None:
    draw = random.Random(20)
    qrels = {f"q{query}": judgements(draw, query) for query in range(15)}
    run = {f"q{query}": ranking(draw) for query in range(15)}
    figures = pytrec_eval.RelevanceEvaluator(qrels, MEASURES).evaluate(run)
    text = json.dumps({"qrels": qrels, "run": run, "figures": figures}, separators=(",", ":"))
    (Path(__file__).parent / "graded.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
