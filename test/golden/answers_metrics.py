"""answer-metrics.json: figures of generated answers by the field's programs, case by case.

Exact match and F1 by SQuAD's official evaluate-v2.0.py, for Chinese by MLQA's mlqa_evaluation_v1.py; ROUGE-L by Google's
rouge_score without its stemmer. The two scripts are no packages: their paths are arguments, their hashes stand here.

    python answers_metrics.py evaluate-v2.0.py mlqa_evaluation_v1.py
"""

import hashlib
import importlib.util
import json
import random
import sys
from pathlib import Path

from rouge_score.rouge_scorer import RougeScorer

HASHES = [
    "710840ce2c2c61716334c056777032f24660b83eb9869a451036e6a24d8103c4",
    "f6631cf51bf47b01e464fff6d3960dde032b5ef6142148b4ac168c3e8fdffe00",
]
CASES = [
    ("the Cat.", ["dog", "cat"]),
    ("cats", ["cat"]),
    ("", ["cat"]),
    ("", [""]),
    ("the", ["a"]),
    ("the", ["cat", "an"]),
    ("A an the", ["the cat"]),
    ("U.S.A.", ["USA", "the United States"]),
    ("U.S. of A.", ["us of", "the United States of America"]),
    ("it's a well-known fact, isn't it?", ["Its a wellknown fact; isnt it", "well known"]),
    ("  17\tDecember\n1903 ", ["December 17, 1903", "17 December 1903"]),
    ("cat cat dog cat", ["dog cat cat", "cat"]),
    ("$5.00 (five dollars)", ["five dollars", "5.00 $"]),
    ("under_score the_end", ["underscore theend"]),
    ("Café à la Crème", ["café la crème", "cafe a la creme"]),
    ("naïve Größe ÉTÉ", ["Naïve größe été", "naive grosse ete"]),
    ("İstanbul’da “quotes”", ["istanbul'da \"quotes\""]),
    ("the\u00a0non-breaking\u2003space a\u3000wide one", ["nonbreaking space wide one"]),
    ("in the theatre an anthem a.m.", ["theatre anthem am"]),
    ("x" * 40 + " 1 2 3", ["1 2 3"]),
    ("5 µm, H₂O and x²", ["5 um h2o x2", "5 µm H₂O"]),
    ("Die Antwort: 42 % — nicht 41!", ["42 %", "die antwort 42"]),
]
CHINESE = [
    ("富士山。", ["富士山"]),
    ("“富士山”", ["富士山", "富士"]),
    ("日本的富士山", ["富士山"]),
    ("1903年12月17日", ["1903年", "12月17日"]),
    ("苹果 iPhone 手机", ["苹果iPhone手机", "苹果 iphone"]),
    ("《红楼梦》、《西游记》", ["红楼梦，西游记"]),
    ("北京", ["上海"]),
    ("", ["上海"]),
    ("约（大概）三百人！", ["大概三百人"]),
]
WORDS = "the a an cat Cat dog, sat; on mat. 1903 Kitty-Hawk 's und naïve U.S.".split()


def program(path: str, digest: str):
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest, path
    spec = importlib.util.spec_from_file_location(digest[:8], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(squad_path: str, mlqa_path: str) -> None:
    squad, mlqa = program(squad_path, HASHES[0]), program(mlqa_path, HASHES[1])
    rouge = RougeScorer(["rougeL"], use_stemmer=False)
    draw = random.Random(3)
    text = lambda: " ".join(draw.choices(WORDS, k=draw.randrange(1, 12)))
    english = CASES + [(text(), [text() for _ in range(draw.randrange(1, 4))]) for _ in range(60)]

    rows = []
    for prediction, answers in english:
        data = [{"paragraphs": [{"qas": [{"id": "q", "answers": [{"text": answer} for answer in answers]}]}]}]
        exact, f1 = squad.get_raw_scores(data, {"q": prediction})
        rows.append({
            "prediction": prediction, "answers": answers, "exactMatch": exact["q"], "f1": f1["q"],
            "rougeL": rouge.score_multi(answers, prediction)["rougeL"].fmeasure,
        })
    best = lambda metric, prediction, answers: mlqa.metric_max_over_ground_truths(metric, prediction, answers, "zh")
    chinese = [
        {"prediction": prediction, "answers": answers,
         "exactMatch": int(best(mlqa.exact_match_score, prediction, answers)), "f1": best(mlqa.f1_score, prediction, answers)}
        for prediction, answers in CHINESE
    ]
    lines = lambda items: ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    out = f'{{"english": [\n{lines(rows)}\n], "chinese": [\n{lines(chinese)}\n]}}\n'
    (Path(__file__).parent / "answer-metrics.json").write_text(out, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
