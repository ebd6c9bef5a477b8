"""tokenizer/: a small WordPiece tokenizer in tokenizer.json form, and the ids that the `tokenizers` library gives.

The library's trainer numbers tokens in no fixed order, so a vocabulary that is already there is kept (`--retrain` renews it).
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.decoders import WordPiece as WordPieceDecoder

from shared import folder, save_json

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

LINES = """
The Wright brothers flew the first powered aeroplane at Kitty Hawk on 17 December 1903.
A retriever finds the passages of a corpus that answer a question; a generator writes the answer.
Training moves the query near the passage that answers it, and away from the passages that do not.
Where did the first flight take place? Who wrote the book about the café in Zürich?
The encoder reads a sentence, token by token, and returns one vector of unit length for all of it.
Unknown words are split into pieces: retrieval, retriever, retrieving, retrieved; unhappily, unhappiness.
Water boils at 100 degrees; ice melts at 0 degrees. The river was 1,250 kilometres long in 1998.
She said: "it's a long story", and didn't finish it. (Nobody asked her to.) E-mail: someone@example.org!
東京 は 日本 の 首都 です。北京 是 中国 的 首都。
Der Fluss ist lang. Où est la gare? El niño comió una manzana. Привет, мир!
The capital of France is Paris, and the capital of Germany is Berlin, and nobody asked where the capital was.
""".strip().splitlines()

TEXTS = {
    "plain": "Where did the first flight take place?",
    "case": "THE WRIGHT BROTHERS flew At Kitty HAWK",
    "accents composed": "Café in Zürich, où est le niño",
    "accents decomposed": "Cafe\u0301 in Zu\u0308rich",
    "cjk without spaces": "東京は日本の首都です。",
    "cjk among letters": "The capital東京is far",
    "cyrillic": "Привет, мир!",
    "unknown letters": "ancient Ωμέγα and ᚠᚢᚦ runes",
    "emoji": "a long 🚀 story 👩‍🚀 of it",
    "punctuation": "She said: \"it's (not) e-mail?!\" -- someone@example.org",
    "unicode punctuation": "“quoted” – dashed… and it’s done",
    "symbols": "1+1=2, $5 ~ 4€ ^ `x` | y",
    "numbers": "1,250 kilometres in 1998, 3.14159 and 007",
    "whitespace": "  the\tquery \n near\u00a0the\u3000passage  ",
    "control characters": "the\u0000 que\u200bry\u00ad ne\u0007ar \ufffd it",
    "special tokens in text": "the [MASK] of [SEP] it [CLS][PAD]",
    "one word of pieces": "retrievability unhappinesses",
    "very long word": "a" * 101 + " it",
    "word of 100": "a" * 100,
    "empty": "",
    "only spaces": "   ",
    "turkish and german": "İstanbul Straße ǅ ﬁnish",
}
PAIRS = {
    "title and text": ("Kitty Hawk", "The brothers flew there in 1903."),
    "empty title": ("", "The river was long."),
    "empty text": ("The river", ""),
    "long title": ("Training moves the query near the passage that answers it and away from others", "The river was long."),
    "long text": ("The river", "Training moves the query near the passage that answers it and away from others"),
    "both long": ("The capital of France is Paris and the capital of Germany is Berlin", "Training moves the query near the passage that answers it"),
}


def build(size: int, vocabulary: Path | None) -> Tokenizer:
    """Trains, or takes the vocabulary file (one token a line) where one is given and there."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", continuing_subword_prefix="##", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if vocabulary is not None and vocabulary.exists():
        tokens = vocabulary.read_text().splitlines()
    else:
        trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL, limit_alphabet=size // 2, show_progress=False)
        tokenizer.train_from_iterator(LINES, trainer)
        learned = sorted(set(tokenizer.get_vocab()) - set(SPECIAL), key=lambda token: (len(token.removeprefix("##")), token))
        tokens = SPECIAL + learned
    tokenizer.model = models.WordPiece(
        {token: i for i, token in enumerate(tokens)}, unk_token="[UNK]", continuing_subword_prefix="##", max_input_chars_per_word=100
    )
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", tokens.index("[CLS]")), ("[SEP]", tokens.index("[SEP]"))],
    )
    tokenizer.decoder = WordPieceDecoder(prefix="##")
    return tokenizer


def write(tokenizer: Tokenizer, path: Path, max_length: int) -> None:
    """tokenizer.json, tokenizer_config.json, special_tokens_map.json and vocab.txt, as on the hub."""
    tokenizer.save(str(path / "tokenizer.json"), pretty=True)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (path / "vocab.txt").write_text("".join(f"{token}\n" for token, _ in vocabulary))
    special = dict(zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"], SPECIAL))
    save_json(path / "special_tokens_map.json", special)
    save_json(path / "tokenizer_config.json", {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "tokenize_chinese_chars": True, "strip_accents": None,
        "model_max_length": max_length, "clean_up_tokenization_spaces": True, **special,
    })


def encoded(tokenizer: Tokenizer, *texts: str) -> dict:
    encoding = tokenizer.encode(*texts)
    return {"ids": encoding.ids, "tokenTypeIds": encoding.type_ids, "attentionMask": encoding.attention_mask, "tokens": encoding.tokens}


def main() -> None:
    path = folder("tokenizer")
    tokenizer = build(400, None if "--retrain" in sys.argv else path / "vocab.txt")
    write(tokenizer, path, 64)
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    golden: dict = {"library": "tokenizers 0.23.3", "vocabularySize": tokenizer.get_vocab_size()}

    tokenizer.no_truncation()
    golden["single"] = [{"name": n, "text": t, **encoded(tokenizer, t)} for n, t in TEXTS.items()]
    golden["pair"] = [{"name": n, "text": a, "pair": b, **encoded(tokenizer, a, b)} for n, (a, b) in PAIRS.items()]
    golden["withoutSpecialTokens"] = [
        {"name": n, "text": t, "ids": tokenizer.encode(t, add_special_tokens=False).ids} for n, t in list(TEXTS.items())[:4]
    ]
    golden["decoded"] = [
        {"ids": tokenizer.encode(t).ids, "text": tokenizer.decode(tokenizer.encode(t).ids, skip_special_tokens=True)}
        for t in (TEXTS["plain"], TEXTS["one word of pieces"], TEXTS["numbers"])
    ]
    for name, strategy in [("truncatedTo16", "longest_first"), ("truncatedTo16SecondOnly", "only_second")]:
        tokenizer.enable_truncation(16, strategy=strategy)
        rows = []
        if strategy == "longest_first":
            rows = [{"name": n, "text": t, **encoded(tokenizer, t)} for n, t in TEXTS.items()]
        for n, (a, b) in PAIRS.items():
            if strategy == "only_second" and n in ("long title", "both long"):
                continue  # the first text alone does not fit: the library refuses
            rows.append({"name": n, "text": a, "pair": b, **encoded(tokenizer, a, b)})
        golden[name] = rows
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    batch = tokenizer.encode_batch([TEXTS["plain"], TEXTS["numbers"], TEXTS["empty"]])
    golden["paddedBatch"] = {
        "texts": [TEXTS["plain"], TEXTS["numbers"], TEXTS["empty"]], "maxLength": 16,
        "ids": [e.ids for e in batch], "attentionMask": [e.attention_mask for e in batch],
    }
    text = json.dumps(golden, ensure_ascii=True)
    (path / "golden.json").write_text(text.replace('}, {"name"', '},\n{"name"') + "\n")

    from transformers import AutoTokenizer

    again = AutoTokenizer.from_pretrained(path)
    for row in golden["single"]:
        theirs = again(row["text"])["input_ids"]
        if theirs != row["ids"]:
            print("transformers differs:", row["name"], theirs, row["ids"])
    unknown = {row["name"]: row["tokens"].count("[UNK]") for row in golden["single"] if "[UNK]" in row["tokens"]}
    print(f"{tokenizer.get_vocab_size()} tokens, {len(golden['single'])} texts, {len(golden['pair'])} pairs; unknown: {unknown}")


if __name__ == "__main__":
    main()
