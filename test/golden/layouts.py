"""layouts/: small data sets as the tools of the field write them, the same questions in each.

Columns of text by Hugging Face's `datasets` (to_json, to_csv, to_parquet), which sentence-transformers trains from; by
pandas (to_csv with other separators, to_parquet with other packing); and lines of JSON as FlagEmbedding, Tevatron,
Pyserini, BEIR and DPR's scripts write them.
"""

import csv
import json
import shutil
from pathlib import Path

import pandas
from datasets import Dataset

OUT = Path(__file__).parent / "layouts"
QUESTIONS = ["who flew first, and where?", 'what is "red"?', "日本で最も高い山は?"]
POSITIVES = ["The Wright brothers flew\nat Kitty Hawk, in 1903.", 'A "red" thing; it is a colour.', "富士山は日本で最も高い山である。"]
NEGATIVES = ["A boat crossed the lake.", "Blue is another colour, too.", "琵琶湖は日本最大の湖である。"]
OTHERS = ["Nobody flew there.", "Green grass.", "信濃川は川である。"]
TITLES = ["Kitty_Hawk", "Red", "富士山"]
ANSWERS = [["1903", "Kitty Hawk"], ["a colour"], ["富士山"]]


def lines(name: str, rows: list) -> None:
    with open(OUT / name, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def columns(name: str, table: dict) -> None:
    """One table in the three files that `datasets` writes."""
    data = Dataset.from_dict(table)
    data.to_json(OUT / f"{name}.jsonl")
    data.to_csv(OUT / f"{name}.csv")
    data.to_parquet(OUT / f"{name}.parquet")


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    columns("pair", {"anchor": QUESTIONS, "positive": POSITIVES})
    columns("triplet", {"anchor": QUESTIONS, "positive": POSITIVES, "negative": NEGATIVES})
    columns("question-answer", {"question": QUESTIONS, "answer": POSITIVES})
    columns("sentences", {"sentence1": QUESTIONS, "sentence2": POSITIVES})
    columns("mined", {"query": QUESTIONS, "positive": POSITIVES, "negative_1": NEGATIVES, "negative_2": OTHERS})
    columns("labelled", {
        "query": [*QUESTIONS, *QUESTIONS], "passage": [*POSITIVES, *NEGATIVES], "label": [1, 1, 1, 0, 0, 0],
    })
    columns("squad-table", {
        "id": ["1", "2", "3"], "title": TITLES, "context": POSITIVES, "question": QUESTIONS,
        "answers": [{"text": texts, "answer_start": [0] * len(texts)} for texts in ANSWERS],
    })
    pairs = pandas.DataFrame({"query": QUESTIONS, "positive": POSITIVES})
    pairs.to_csv(OUT / "pandas-index.csv")
    pairs.to_csv(OUT / "semicolons.csv", index=False, sep=";")
    pairs.to_csv(OUT / "tabs.tsv", index=False, sep="\t")
    for packing in ["snappy", "gzip", "brotli", "zstd", None]:
        pairs.to_parquet(OUT / f"pandas-{packing}.parquet", index=False, compression=packing)
    (OUT / "array.json").write_text(pairs.to_json(orient="records", force_ascii=False), encoding="utf-8")

    lines("flagembedding.jsonl", [
        {"query": q, "pos": [p], "neg": [n, o], "pos_scores": [0.9], "neg_scores": [0.2, 0.1], "prompt": "", "type": "normal"}
        for q, p, n, o in zip(QUESTIONS, POSITIVES, NEGATIVES, OTHERS)
    ])
    lines("tevatron.jsonl", [
        {"query_id": str(i), "query": q, "positive_passages": [{"docid": f"p{i}", "title": t, "text": p}],
         "negative_passages": [{"docid": f"n{i}", "title": "", "text": n}]}
        for i, (q, p, n, t) in enumerate(zip(QUESTIONS, POSITIVES, NEGATIVES, TITLES))
    ])
    lines("plain-strings.jsonl", [
        {"query": q, "positives": [p], "negatives": [n]} for q, p, n in zip(QUESTIONS, POSITIVES, NEGATIVES)
    ])
    lines("own.jsonl", [
        {"id": f"q{i}", "query": q, "positives": [f"p{i}"], "negatives": [f"n{i}"], "answers": a, "weight": 1}
        for i, (q, a) in enumerate(zip(QUESTIONS, ANSWERS))
    ])
    passages = [(f"p{i}", p, t) for i, (p, t) in enumerate(zip(POSITIVES, TITLES))]
    passages += [(f"n{i}", n, "") for i, n in enumerate(NEGATIVES)]
    lines("corpus.jsonl", [{"id": i, "text": p, "title": t} for i, p, t in passages])
    lines("pyserini.jsonl", [{"id": i, "contents": p} for i, p, _ in passages])
    lines("strings.jsonl", [p for _, p, _ in passages])
    table = {"id": [i for i, _, _ in passages], "text": [p for _, p, _ in passages], "title": [t for _, _, t in passages]}
    columns("corpus-table", table)
    with open(OUT / "psgs.tsv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([("id", "text", "title"), *passages])
    with open(OUT / "qa.tsv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows((q, str(a)) for q, a in zip(QUESTIONS, ANSWERS))
    dpr = [
        {"dataset": "d", "question": q, "answers": a,
         "positive_ctxs": [{"title": t, "text": p, "score": 1000, "title_score": 1, "passage_id": f"p{i}"}],
         "negative_ctxs": [], "hard_negative_ctxs": [{"title": "", "text": n, "score": 5.1, "title_score": 0, "passage_id": f"n{i}"}]}
        for i, (q, a, p, n, t) in enumerate(zip(QUESTIONS, ANSWERS, POSITIVES, NEGATIVES, TITLES))
    ]
    (OUT / "dpr.json").write_text(json.dumps(dpr, indent=4), encoding="utf-8")
    squad = {"version": "v2.0", "data": [
        {"title": t, "paragraphs": [{"context": p, "qas": [
            {"id": str(i), "question": q, "is_impossible": False, "answers": [{"text": text, "answer_start": 0} for text in a]},
            {"id": f"x{i}", "question": f"{q} (no)", "is_impossible": True, "answers": [], "plausible_answers": [{"text": "x", "answer_start": 0}]},
        ]}]} for i, (q, a, p, t) in enumerate(zip(QUESTIONS, ANSWERS, POSITIVES, TITLES))
    ]}
    (OUT / "squad.json").write_text(json.dumps(squad), encoding="utf-8")
    wild = {"data": [{"paragraphs": [{"context": p, "qas": [
        {"id": i, "question": q, "answers": [{"text": f" {text} ", "answer_start": 0} for text in a]},
        {"id": 10 + i, "question": " ", "answers": None},
    ]}, {"context": ""}]} for i, (q, a, p) in enumerate(zip(QUESTIONS, ANSWERS, POSITIVES))]}
    (OUT / "squad-shaped.json").write_text(json.dumps(wild, ensure_ascii=False), encoding="utf-8")
    beir = OUT / "beir"
    (beir / "qrels").mkdir(parents=True)
    lines("beir/corpus.jsonl", [
        *({"_id": i, "title": t, "text": p, "metadata": {}} for i, p, t in passages),
        {"_id": "empty", "title": "", "text": "", "metadata": {}}, {"_id": "title", "title": "A title alone", "text": "", "metadata": {}},
    ])
    lines("beir/queries.jsonl", [{"_id": f"q{i}", "text": q, "metadata": {}} for i, q in enumerate(QUESTIONS)])
    with open(beir / "qrels" / "test.tsv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerows([("query-id", "corpus-id", "score"), *((f"q{i}", f"p{i}", 2) for i in range(3)),
                          ("q0", "n1", 1), ("q1", "gone", 1), ("q99", "p1", 1), ("q2", "empty", 1), ("q2", "n2", 0)])
    instructions()


def instructions() -> None:
    """What a generator is trained on: conversations, segments, and columns of one's own."""
    chats = [
        {"messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hello!", "weight": 0},
            {"role": "user", "content": q},
            {"role": "assistant", "content": a[0], "weight": 1},
        ]} for q, a in zip(QUESTIONS, ANSWERS)
    ]
    lines("chat.jsonl", chats)
    table = Dataset.from_list(chats)
    table.to_json(OUT / "chat-table.jsonl", force_ascii=False)
    table.to_parquet(OUT / "chat-table.parquet")
    lines("segments.jsonl", [
        {"segments": [
            {"label": False, "text": f"<s>[INST] {q} [/INST]"}, {"label": True, "text": f" {a[0]}</s>"},
        ]} for q, a in zip(QUESTIONS, ANSWERS)
    ])
    columns("instructions", {
        "instruction": ["Answer the question.", "Answer briefly.", "答えて。"], "input": [QUESTIONS[0], "", QUESTIONS[2]],
        "output": [a[0] for a in ANSWERS],
    })


if __name__ == "__main__":
    main()
