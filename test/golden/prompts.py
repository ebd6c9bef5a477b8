"""prompts.json: prompts and answers by small tokenizers of every kind, tokenized as one text and piece by piece, by the
`tokenizers` library. Vocabularies are made by hand, so that merges reach across the places where pieces meet."""

import json

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from shared import HERE

BEFORE, BETWEEN, BEHIND = "<query>\n", "\n</query>\n\n<context>\n", "\n</context>\n\n<response>\n"
CASES = {
    "a passage without a full stop": ("who was on the boat?", ["the captain of the boat"], "the captain"),
    "a passage with a full stop": ("who was on the boat?", ["The captain was on it."], "the captain"),
    "two passages": ("who was on the boat?", ["the captain of the boat", "The boat was slow."], "the captain"),
    "no passage": ("who was on the boat?", [], "the captain"),
    "a passage that ends in a blank line": ("who was on the boat?", ["the captain\n\n"], "the captain"),
    "an answer that begins with a space": ("who was on the boat?", ["the captain of the boat"], " the captain"),
    "an answer that begins with a line end": ("who was on the boat?", ["the captain of the boat"], "\nthe captain"),
    "letters outside of the vocabulary": ("où est le bateau ?", ["à Zürich €"], "à Zürich"),
}
WORDS = ["the", "captain", "boat", "was", "on"]
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def merged(vocabulary: list[str], first: str, joined: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary with all pieces of the words, letter by letter, and the merges that make them."""
    merges = []
    for word in joined + [first + word for word in WORDS]:
        for end in range(1, len(word)):
            pair, whole = (word[:end], word[end]), word[: end + 1]
            if whole not in vocabulary:
                vocabulary.append(whole)
                merges.append(pair)
    return {token: number for number, token in enumerate(vocabulary)}, merges


def byte_level(pattern: str | None) -> Tokenizer:
    vocabulary, merges = merged(["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())], "Ġ", [*WORDS, "ĊĊ", ".Ċ", ">Ċ", ">ĊĊ", "</", "?Ċ"])
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False) if pattern is None else pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|endoftext|>"])
    return made


def byte_fallback(scheme: str | None) -> Tokenizer:
    letters = sorted({letter for word in WORDS for letter in word} | set("▁<>/.?qyxrspTh"))
    tokens = ["<unk>", "<s>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256)], *letters]
    vocabulary, merges = merged(tokens, "▁", WORDS)
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if scheme is None:
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=False)
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made.add_special_tokens(["<unk>", "<s>", "</s>"])
    return made


def unigram() -> Tokenizer:
    letters = sorted({letter for word in WORDS for letter in word} | set("▁<>/.?qyxrspTh"))
    tokens = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *[(letter, -9.0) for letter in letters],
              *[("▁" + word, -3.0) for word in WORDS], *[(word, -5.0) for word in WORDS]]
    made = Tokenizer(models.Unigram(tokens, unk_id=2))
    made.normalizer = normalizers.Replace("\n", " ")
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    made.add_special_tokens(["<pad>", "</s>", "<unk>"])
    return made


def word_piece() -> Tokenizer:
    made = Tokenizer.from_file(str(HERE / "tokenizer" / "tokenizer.json"))
    made.no_truncation()
    made.no_padding()
    return made


def main() -> None:
    kinds = {
        "byte-level, GPT-2's words": (byte_level(None), "<|endoftext|>"),
        "byte-level, Qwen's words": (byte_level(QWEN), "<|endoftext|>"),
        "byte fallback, Llama 2's normalizer": (byte_fallback(None), "</s>"),
        "byte fallback, Metaspace at the start": (byte_fallback("first"), "</s>"),
        "byte fallback, no prefix": (byte_fallback("never"), "</s>"),
        "Unigram, Metaspace": (unigram(), "</s>"),
        "WordPiece": (word_piece(), "[SEP]"),
    }
    made = {"library": "tokenizers 0.23.3", "template": BEFORE + "{query}" + BETWEEN + "{context}" + BEHIND + "{response}", "kinds": {}}
    for kind, (tokenizer, end) in kinds.items():
        cases = {}
        for name, (query, contexts, answer) in CASES.items():
            parts = [text if number == 0 else "\n\n" + text for number, text in enumerate(contexts)]
            pieces = [BEFORE + query + BETWEEN, *parts, BEHIND, answer]
            cases[name] = {
                "query": query, "contexts": contexts, "answer": answer,
                "whole": tokenizer.encode("".join(pieces)).ids,
                "pieces": [tokenizer.encode(piece, add_special_tokens=False).ids for piece in pieces],
            }
        made["kinds"][kind] = {
            "tokenizer": json.loads(tokenizer.to_str()), "config": {"eos_token": end}, "end": tokenizer.token_to_id(end), "cases": cases,
        }
        joined = {name: len(case["whole"]) - sum(map(len, case["pieces"])) for name, case in cases.items()}
        print(kind, tokenizer.get_vocab_size(), joined)
    (HERE / "prompts.json").write_text(json.dumps(made, ensure_ascii=True) + "\n")


main()
