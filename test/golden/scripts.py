"""tokenizer/scripts.json: one text in each of 13 scripts, small tokenizers of every kind around their characters, and the
ids that the `tokenizers` library gives, and those of every other tokenizer.json of this folder. Needs tokenizers and sentencepiece (requirements-scripts.txt)."""

import base64
import json
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

TEXTS = {
    "Latin": "The ﬁrst Café in Zürich, ① day — İstanbul ŒUVRE ß ẞ",
    "Greek": "ΟΔΟΣ ΣΟΦΟΣ Σ. ὈΔΥΣΣΕΎΣ και Σ1 ΑΣ",
    "Cyrillic": "Привет, МИР! Ёлка й й",
    "Arabic": "السَّلام عليكم می‌خواهم ﷺ",
    "Hebrew": "שָׁלוֹם עולם",
    "Devanagari": "नमस्ते क्‍ष क़",
    "Thai": "สวัสดีชาวโลก กำ",
    "Hangul": "안녕하세요 세계 ᄒ",
    "Kana": "ﾊﾟｿｺﾝ を使う　カタカナ が",
    "Han": "東京は首都です。北京是首都，㍿",
    "Armenian": "Բարեւ ԱՇԽԱՐՀ և",
    "Georgian": "გამარჯობა ᲛᲡᲝᲤᲚᲘᲝ",
    "emoji": "a 👩‍🚀 and 👨‍👩‍👧 🇬🇷 ☃️ ok\u200bno\u00adsoft \ufeffbom",
}

# A part of what sentencepiece's own rules hold, so that the map stays small: source and target in code points.
RULES = [
    ("FB01", "66 69"), ("2460", "31"), ("200D", ""), ("200C", "20"), ("200B", "20"), ("FEFF", ""), ("3000", "20"),
    ("FF8A FF9F", "30D1"), ("FF7F", "30BD"), ("FF7A", "30B3"), ("FF9D", "30F3"), ("0438 0306", "0439"),
    ("0065 0301", "00E9"), ("304B 3099", "304C"), ("337F", "682A 5F0F"), ("E33", "0E4D 0E32"), ("00AD", ""), ("9", "20"),
]


def charsmap(folder: Path) -> bytes:
    (folder / "rules.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in RULES))
    (folder / "corpus.txt").write_text("\n".join(TEXTS.values()))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"), model_prefix=str(folder / "m"), model_type="char", vocab_size=400,
        character_coverage=1.0, normalization_rule_tsv=str(folder / "rules.tsv"), hard_vocab_limit=False,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "m.model").read_bytes())
    return model.normalizer_spec.precompiled_charsmap


def characters(normalizer) -> list[str]:
    texts = [normalizer.normalize_str(text) for text in TEXTS.values()]
    return sorted({character for text in texts for character in text if not character.isspace()})


def word_piece(lowercase: bool) -> Tokenizer:
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    letters = characters(normalizer)
    names = ["[PAD]", "[UNK]", *letters, *(f"##{letter}" for letter in letters)]
    made = Tokenizer(models.WordPiece({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def unigram(normalizer) -> Tokenizer:
    letters = ["▁", *characters(normalizer)]
    made = Tokenizer(models.Unigram([("<unk>", 0.0), *((letter, -1.0) for letter in letters)], unk_id=0))
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return made


def byte_level() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def incomplete(bytes_too: bool = False, words: bool = True, **options) -> Tokenizer:
    """BPE that lacks every third character; neighbours merge, also across what is lacking. With bytes, two of them lack."""
    letters = sorted({character for text in TEXTS.values() for character in text if character != " "})
    known = [letter for index, letter in enumerate(letters) if index % 3 != 0] + ([] if words else [" "])
    pairs = []
    for text in TEXTS.values():
        for word in text.split(" "):
            kept = [letter for letter in word if letter in known]
            pairs += [pair for pair in zip(kept[::3], kept[1::3]) if pair not in pairs]
    unknown = ["<unk>"] if "unk_token" in options else []
    fallback = [f"<0x{byte:02X}>" for byte in range(128, 256) if byte not in (0xA8, 0xB8)] if bytes_too else []
    names = dict.fromkeys([*unknown, *fallback, *known, *(left + right for left, right in pairs)])
    vocabulary = {name: number for number, name in enumerate(names)}
    made = Tokenizer(models.BPE(vocabulary, pairs, byte_fallback=bytes_too, **options))
    if words:
        made.pre_tokenizer = pre_tokenizers.Split(Regex(" "), "removed")
    return made


def marked(prefix: str = "", suffix: str = "", bytes_too: bool = False, **options) -> Tokenizer:
    """BPE that marks where words go on or end, and lacks every third of such characters."""
    def marks(word: str) -> list[str]:
        last = len(word) - 1
        return [
            f"{prefix if at > 0 else ''}{letter}{suffix if at == last else ''}" for at, letter in enumerate(word)
        ]

    words = [word for text in TEXTS.values() for word in text.split(" ") if word]
    symbols = sorted({symbol for word in words for symbol in marks(word)})
    known = [symbol for index, symbol in enumerate(symbols) if index % 3 != 0]
    pairs = []
    for word in words:
        kept = [symbol for symbol in marks(word) if symbol in known]
        pairs += [pair for pair in zip(kept[::2], kept[1::2]) if pair not in pairs]
    unknown = ["<unk>"] if "unk_token" in options else []
    fallback = [f"<0x{byte:02X}>" for byte in range(256) if byte not in (0xA8, 0xB8)] if bytes_too else []
    joined = [left + right[len(prefix):] for left, right in pairs]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys([*unknown, *fallback, *known, *joined]))}
    marks_of = {
        **({"continuing_subword_prefix": prefix} if prefix else {}),
        **({"end_of_word_suffix": suffix} if suffix else {}),
    }
    made = Tokenizer(models.BPE(vocabulary, pairs, byte_fallback=bytes_too, **marks_of, **options))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(" "), "removed")
    return made


def ids_of(tokenizer: Tokenizer) -> dict[str, list[int]]:
    return {script: tokenizer.encode(text, add_special_tokens=False).ids for script, text in TEXTS.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        compiled = charsmap(Path(name))
    precompiled = normalizers.Precompiled(compiled)
    small = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    kinds = {
        "WordPiece, lower case": word_piece(True),
        "WordPiece": word_piece(False),
        "Unigram, compiled rules": unigram(normalizers.Sequence([precompiled, normalizers.Lowercase()])),
        "Unigram, NFKC": unigram(small),
        "BPE of bytes": byte_level(),
        "BPE, unknown dropped": incomplete(),
        "BPE, whole words first": incomplete(ignore_merges=True),
        "BPE, unknown kept": incomplete(unk_token="<unk>"),
        "BPE, unknown fused": incomplete(unk_token="<unk>", fuse_unk=True),
        "BPE, most bytes, unknown dropped": incomplete(bytes_too=True),
        "BPE, most bytes, unknown fused": incomplete(bytes_too=True, words=False, unk_token="<unk>", fuse_unk=True),
        "BPE, most bytes, unknown kept": incomplete(bytes_too=True, words=False, unk_token="<unk>"),
        "BPE, ends marked, unknown dropped": marked(suffix="</w>"),
        "BPE, ends marked, unknown kept": marked(suffix="</w>", unk_token="<unk>"),
        "BPE, ends marked, most bytes": marked(suffix="</w>", bytes_too=True, unk_token="<unk>", fuse_unk=True),
        "BPE, continuations marked, unknown dropped": marked(prefix="##"),
        "BPE, continuations marked, unknown fused": marked(prefix="##", unk_token="<unk>", fuse_unk=True),
        "BPE, both marked": marked(prefix="##", suffix="</w>", unk_token="<unk>"),
    }
    made = {
        "texts": TEXTS,
        "tokenizers": {
            kind: {
                "tokenizer": json.loads(tokenizer.to_str()),
                "ids": ids_of(tokenizer),
            }
            for kind, tokenizer in kinds.items()
        },
    }
    root = Path(__file__).parent
    made["files"] = {}
    for file in sorted(root.glob("**/tokenizer.json")):
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        made["files"][file.relative_to(root).as_posix()] = ids_of(tokenizer)
    target = root / "tokenizer" / "scripts.json"
    target.write_text(json.dumps(made, ensure_ascii=True) + "\n")
    print(target, target.stat().st_size, len(base64.b64encode(compiled)))


main()
