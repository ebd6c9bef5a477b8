"""seq2seq/: tiny random encoder-decoders as transformers saves them, with PyTorch's logits, gradients, generation, training.

    python seq2seq.py [NAME …]

NAME/ holds `config.json`, `generation_config.json`, `model.safetensors`, `tokenizer.json`, `tokenizer_config.json`;
`reference.safetensors`: `in.NAME`, `R`, `out` (the logits), `loss` = sum(out * R) / number of elements, `w.NAME` and `g.NAME`
for every parameter (and `w.final_logits_bias`), computed in float64, stored in float32, and `encoder`, the encoder's states. The
weights of products are half of the model's: whole, they saturate softmaxes so that float32 alone strays from the gradients by
more than a test may ask;
`generation.json`: inputs, and the 50 tokens of greedy decoding after the start token, ends suppressed, with the smallest
margin between the best two logits.

t5-training/: 50 steps of AdamW on t5-gated as transformers initialises it (`model.safetensors`), batch 4, no dropout:
`batches.safetensors` (8 batches, taken in turn) and `losses.json`, in float32 and in float64. Cross-entropy averaged over the targets' real tokens; gradients clipped at norm 1; learning rate 3e-3 that
falls linearly to 0; betas (.9, .999), eps 1e-8, weight decay .01 except on norms.

buckets.json: the buckets of T5's relative positions for distances from -200 to 200.
"""

import json
import sys

import torch
import transformers as hf
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from shared import folder, plain_embeddings, save, save_json

VOCABULARY = 96
TEXTS = ["the river was long and the water was cold", "a letter came from the old town", "who found the river",
         "the town was founded near the water", "when was the letter written", "it was written long ago in the cold town"]
T5 = {"vocab_size": VOCABULARY, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 12,
      "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, "dropout_rate": 0.1}
BART = {"vocab_size": VOCABULARY, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 20, "max_position_embeddings": 64,
        "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": None}


def configurations() -> dict:
    # d_kv * heads is the hidden size of t5, and not that of t5-gated. transformers 5.23 cannot generate with more layers in
    # the decoder than in the encoder, so the other way round stands for sides that differ.
    return {
        "t5": (hf.T5ForConditionalGeneration, hf.T5Config(**T5, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=3), True),
        "t5-gated": (hf.T5ForConditionalGeneration, hf.T5Config(**T5, d_model=16, d_kv=12, d_ff=20, num_layers=3, num_heads=2,
                                                                num_decoder_layers=2, feed_forward_proj="gated-gelu",
                                                                tie_word_embeddings=False), False),
        "bart": (hf.BartForConditionalGeneration, hf.BartConfig(**BART, scale_embedding=True), True),
        "mbart": (hf.MBartForConditionalGeneration, hf.MBartConfig(**BART, activation_function="relu"), True),
        "pegasus": (hf.PegasusForConditionalGeneration, hf.PegasusConfig(**{**BART, "decoder_layers": 1}, scale_embedding=True), True),
        "marian": (hf.MarianMTModel, hf.MarianConfig(**{**BART, "decoder_layers": 1}, activation_function="swish"), True),
    }


# By name: a seed whose weights do not say the same few tokens again and again, as most random ones do
SEEDS = {"t5": 38, "t5-gated": 42, "bart": 59, "mbart": 26, "pegasus": 21, "marian": 29}


def build(name: str, seed: int | None = None) -> torch.nn.Module:
    """The model with random weights; norms, biases and the logits' bias included, so that nothing hides behind a zero."""
    kind, config, tied = configurations()[name]
    torch.manual_seed(0)
    model = kind(config).eval()
    if not tied:
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    generator = torch.Generator().manual_seed(SEEDS[name] if seed is None else seed)
    with torch.no_grad():
        tensors = dict(model.named_parameters()) | {k: v for k, v in model.named_buffers() if k == "final_logits_bias"}
        for key, value in sorted(tensors.items()):
            if "embed_positions" in key and name in ("pegasus", "marian"):
                continue
            noise = torch.randn(value.shape, generator=generator)
            if key == "final_logits_bias":
                value.copy_(0.5 * noise)
            elif value.dim() > 1:
                value.copy_((1.0 if "relative" in key else 0.3 if "shared" in key else 0.5) * noise)
            else:
                value.copy_((1 if "norm" in key and key.endswith("weight") else 0) + 0.1 * noise)
    plain_embeddings(model)
    return model


def example() -> dict:
    """Three rows of 9, 6 and 4 real tokens, the last padded at the left; targets of 7, 3 and 5."""
    generator = torch.Generator().manual_seed(5)
    ids, target = torch.randint(3, VOCABULARY, (3, 9), generator=generator), torch.randint(3, VOCABULARY, (3, 7), generator=generator)
    ids[1, :3], target[1, 1] = ids[0, 0], target[0, 1]
    mask = (torch.arange(9)[None] < torch.tensor([[9], [6], [9]])).long()
    mask[2, :5] = 0
    target_mask = (torch.arange(7)[None] < torch.tensor([[7], [3], [5]])).long()
    return {"input_ids": ids * mask, "attention_mask": mask, "decoder_input_ids": target * target_mask, "decoder_attention_mask": target_mask}


def reference(model: torch.nn.Module, path) -> None:
    inputs = example()
    with torch.no_grad():
        for key, value in model.named_parameters():
            if value.dim() > 1 and "shared" not in key and value.requires_grad:
                value.mul_(0.5)
    model.double()
    result = model(**inputs, use_cache=False)
    cotangent = torch.randn(result.logits.shape, generator=torch.Generator().manual_seed(11)).double()
    loss = (result.logits * cotangent).sum() / cotangent.numel()
    loss.backward()
    tensors = {f"in.{key}": value for key, value in inputs.items()}
    tensors |= {"R": cotangent, "out": result.logits, "loss": loss, "encoder": result.encoder_last_hidden_state}
    for key, value in model.named_parameters():
        if value.requires_grad:
            tensors |= {f"w.{key}": value, f"g.{key}": value.grad}
    tensors |= {f"w.{key}": value for key, value in model.named_buffers() if key == "final_logits_bias"}
    save(path / "reference.safetensors", {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})


def unigram() -> Tokenizer:
    """Whole words before their letters; made by hand, because training one is not deterministic."""
    words = sorted({word for text in TEXTS for word in text.split()})
    letters = sorted({letter for word in words for letter in word})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"\u2581{word}", -3.0) for word in words), ("\u2581", -5.0),
              *((letter, -6.0) for letter in letters)]
    pieces += [(f"\u2581w{index}", -9.0) for index in range(VOCABULARY - len(pieces))]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def byte_pairs() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens([f" w{index}" for index in range(VOCABULARY - tokenizer.get_vocab_size())])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def tokenizer_files(name: str, path) -> Tokenizer:
    t5 = name.startswith("t5")
    tokenizer = unigram() if t5 else byte_pairs()
    assert tokenizer.get_vocab_size() == VOCABULARY
    save_json(path / "tokenizer.json", json.loads(tokenizer.to_str()))
    save_json(path / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer" if t5 else "BartTokenizer", "model_max_length": 64,
                                               "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"})
    return tokenizer


def generation(model: torch.nn.Module, tokenizer: Tokenizer) -> dict:
    rows = [tokenizer.encode(text).ids for text in TEXTS[:2]]
    width, pad = max(map(len, rows)), model.config.pad_token_id
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    options = {"do_sample": False, "num_beams": 1, "max_new_tokens": 50, "min_new_tokens": 50}
    with torch.no_grad():
        found = model.generate(input_ids=ids, attention_mask=mask, output_logits=True, return_dict_in_generate=True, **options)
        text = model.generate(input_ids=ids[:1], attention_mask=mask[:1], do_sample=False, num_beams=1, max_new_tokens=20)
    best = torch.stack(found.logits).topk(3, dim=-1).values
    margin = float(torch.minimum(best[..., 0] - best[..., 1], best[..., 1] - best[..., 2]).min())
    distinct = [len(set(row.tolist())) for row in found.sequences]
    return {"texts": TEXTS[:2], "inputIds": ids.tolist(), "attentionMask": mask.tolist(), "sequences": found.sequences.tolist(),
            "margin": margin, "text": tokenizer.decode(text[0].tolist()), "distinct": distinct}


def make(name: str) -> None:
    path = folder(f"seq2seq/{name}")
    model = build(name)
    model.config.architectures = [type(model).__name__]
    if name == "t5-gated":
        # As the published v1.1 checkpoints say it; transformers 5 would write its own reading of it
        model.config.tie_word_embeddings = False
    model.config.save_pretrained(path)
    model.generation_config.save_pretrained(path)
    kept = {k: v for k, v in model.state_dict().items() if not k.endswith("embed_tokens.weight")}
    if name != "t5-gated":
        kept.pop("lm_head.weight")
    save(path / "model.safetensors", kept, {"format": "pt"})
    again = configurations()[name][0].from_pretrained(path).eval()
    inputs = example()
    with torch.no_grad():
        error = (again(**inputs).logits - model(**inputs).logits).abs().max()
    assert error < 1e-6, f"{name} does not load as it was: {error}"
    generated = generation(model, tokenizer_files(name, path))
    print(name, {key: generated[key] for key in ("margin", "distinct", "text")}, flush=True)
    assert min(map(len, generated["sequences"])) == 51 and generated["margin"] > 5e-5 and min(generated["distinct"]) > 4
    save_json(path / "generation.json", generated, indent=None)
    reference(model, path)


def training() -> None:
    path = folder("seq2seq/t5-training")
    generator = torch.Generator().manual_seed(3)
    data = []
    for _ in range(8):
        ids, mask = torch.zeros(4, 8, dtype=torch.int64), torch.zeros(4, 8, dtype=torch.int64)
        target, target_mask = torch.zeros(4, 6, dtype=torch.int64), torch.zeros(4, 6, dtype=torch.int64)
        for row in range(4):
            length = int(torch.randint(3, 8, (1,), generator=generator))
            words = torch.randint(3, VOCABULARY, (length,), generator=generator)
            ids[row, :length], ids[row, length], mask[row, : length + 1] = words, 1, 1
            answer = words.flip(0)[: min(length, 5)]
            target[row, : len(answer)], target[row, len(answer)], target_mask[row, : len(answer) + 1] = answer, 1, 1
        data.append({"input_ids": ids, "attention_mask": mask, "labels": target, "decoder_attention_mask": target_mask})
    save(path / "batches.safetensors", {f"{index}.{key}": value for index, batch in enumerate(data) for key, value in batch.items()})
    result = {}
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        kind, config, _ = configurations()["t5-gated"]
        model = kind(config).eval()
        model.lm_head.weight = torch.nn.Parameter(0.25 * torch.randn(VOCABULARY, 16))
        plain_embeddings(model)
        save(path / "model.safetensors", {k: v for k, v in model.state_dict().items() if not k.endswith("embed_tokens.weight")}, {"format": "pt"})
        model = model.to(dtype)
        plain = [p for n, p in model.named_parameters() if "layer_norm" in n]
        decayed = [p for n, p in model.named_parameters() if "layer_norm" not in n]
        optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=3e-3)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (50 - step) / 50)
        losses, norms = [], []
        for step in range(50):
            batch = data[step % 8]
            labels = batch["labels"].masked_fill(batch["decoder_attention_mask"] == 0, -100)
            optimizer.zero_grad()
            loss = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
            loss.backward()
            norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        result[str(dtype).split(".")[1]] = {"losses": losses, "gradientNorms": norms}
    strays = max(abs(a - b) for a, b in zip(result["float32"]["losses"], result["float64"]["losses"]))
    print(f"t5-training: {losses[0]:.3f} to {losses[-1]:.3f}; float32 strays by {strays:.1e}", flush=True)
    save_json(path / "losses.json", result)


def buckets() -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    distances = torch.arange(-200, 201)
    cases = [{"buckets": count, "maxDistance": longest, "bidirectional": both,
              "found": T5Attention._relative_position_bucket(distances, both, count, longest).tolist()}
             for count, longest in [(32, 128), (8, 12), (16, 64), (32, 100), (12, 37)] for both in (True, False)]
    save_json(folder("seq2seq") / "buckets.json", cases, indent=None)


if __name__ == "__main__":
    wanted = sys.argv[1:] or [*configurations(), "training", "buckets"]
    for item in wanted:
        {"training": training, "buckets": buckets}.get(item, lambda: make(item))()
