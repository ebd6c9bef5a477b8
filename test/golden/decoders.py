"""decoders/: tiny random decoder-only models with PyTorch's logits, losses, gradients, greedy texts and a training run.

NAME/config.json, model.safetensors (qwen2 in two files), tokenizer.json: a directory as the hub holds it
NAME/reference.safetensors: in.input_ids, in.attention_mask, in.labels, logits, loss, g.PARAMETER
  loss = mean over label tokens of -log softmax(logits before the token)[token]; labels are -100 in prompts and padding;
  positions count real tokens, as generation has them; row 1 is padded on the left, row 2 on the right
NAME/generation.json: a prompt and the 40 to 50 tokens that greedy decoding adds, the smallest gap between the best two logits
rope.json, rope.safetensors: the llama's weights under every scaling of rotary embeddings, in the layouts of transformers 4 and 5
training.json, training.safetensors: 50 steps of AdamW on the llama (see `train`)
tokenizers.json: ids of texts by the byte-level and the byte-fallback tokenizer
"""

import json
import sys

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GemmaConfig, GemmaForCausalLM, GraniteConfig,
    GraniteForCausalLM, Olmo2Config, Olmo2ForCausalLM, Phi3Config, Phi3ForCausalLM, SmolLM3Config, SmolLM3ForCausalLM,
)
from transformers import (
    GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config,
    Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM, get_linear_schedule_with_warmup,
)

from shared import floats, folder, save, save_json

VOCABULARY = 96
TEXTS = [
    "the river was long and the boats were slow", "a boat on the long river", "who was on the boat?",
    "the captain, she said, was slow", "Was it the river or the sea?", "one boat, two boats, three boats",
]


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=["<|endoftext|>", "<pad>"], show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def byte_fallback() -> Tokenizer:
    """As Llama's: words begin with a low line, unknown characters become bytes, every text begins with <s>."""
    alphabet = sorted({c for text in TEXTS for c in text.replace(" ", "▁")})
    tokens = ["<unk>", "<s>", "</s>", *[f"<0x{b:02X}>" for b in (0x0A, 0xC3, 0xA9, 0xE2, 0x82, 0xAC)], *alphabet]
    merges = []
    for left, right in [("t", "h"), ("th", "e"), ("▁", "the"), ("▁", "b"), ("o", "a"), ("oa", "t"), ("▁b", "oat"), ("w", "a"),
                        ("▁", "wa"), ("▁wa", "s"), ("o", "n"), ("▁", "on"), ("e", "r"), ("l", "on")]:
        merges.append((left, right))
        tokens.append(left + right)
    tokens += [f"<extra{i}>" for i in range(VOCABULARY - len(tokens))]
    assert len(tokens) == VOCABULARY and len(set(tokens)) == VOCABULARY
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B:1", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def randomize(model: torch.nn.Module, seed: int, scale: float) -> None:
    """Distinct random weights everywhere, large enough that greedy texts are no loops and attention is not uniform."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            is_norm = "norm" in name or ".ln_" in name
            if is_norm and name.endswith("weight"):
                parameter.copy_(1 + 0.1 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            elif "embed" in name or "wte" in name or "wpe" in name or "lm_head" in name:
                parameter.copy_(0.5 * noise)
            else:
                parameter.copy_(scale * noise)
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None


def llama_settings() -> dict:
    return dict(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=1, eos_token_id=2, pad_token_id=None,
    )


def make_models() -> dict:
    ends = dict(bos_token_id=0, eos_token_id=0, pad_token_id=1)
    small = dict(vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=2, max_position_embeddings=128)
    return {
        "gpt2": GPT2LMHeadModel(GPT2Config(
            vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=96, scale_attn_by_inverse_layer_idx=True, **ends)),
        "llama": LlamaForCausalLM(LlamaConfig(**llama_settings(), rope_parameters=dict(
            rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32))),
        "mistral": MistralForCausalLM(MistralConfig(**small, num_attention_heads=2, num_key_value_heads=1, sliding_window=4, **ends)),
        "qwen2": Qwen2ForCausalLM(Qwen2Config(
            **small, num_attention_heads=4, num_key_value_heads=2, use_sliding_window=True, sliding_window=5, max_window_layers=1,
            tie_word_embeddings=False, **ends)),
        "qwen3": Qwen3ForCausalLM(Qwen3Config(
            **small, num_attention_heads=4, num_key_value_heads=2, head_dim=6, tie_word_embeddings=True, attention_bias=True, **ends)),
    }


def more_models() -> dict:
    """Further types of the family, of which only config, weights and reference are kept."""
    ends = dict(bos_token_id=0, eos_token_id=0, pad_token_id=1)
    small = dict(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=3, max_position_embeddings=128,
        num_attention_heads=4, num_key_value_heads=2, **ends)
    return {
        "smollm3": SmolLM3ForCausalLM(SmolLM3Config(**small, no_rope_layer_interval=2)),
        "granite": GraniteForCausalLM(GraniteConfig(
            **small, embedding_multiplier=1.5, logits_scaling=2.0, residual_multiplier=0.7, attention_multiplier=0.4, mlp_bias=True)),
        "olmo2": Olmo2ForCausalLM(Olmo2Config(**small)),
        "phi3": Phi3ForCausalLM(Phi3Config(
            **small, sliding_window=6, original_max_position_embeddings=8, partial_rotary_factor=0.5, rope_parameters=dict(
                rope_type="longrope", rope_theta=500.0, partial_rotary_factor=0.5, short_factor=[1.0], long_factor=[2.5]))),
        "gemma": GemmaForCausalLM(GemmaConfig(**small, head_dim=6)),
        "gemma2": Gemma2ForCausalLM(Gemma2Config(**small, head_dim=6, query_pre_attn_scalar=5, sliding_window=4, attn_logit_softcapping=2.0,
                                                 final_logit_softcapping=3.0, attn_implementation="eager")),
        "gemma3": Gemma3ForCausalLM(Gemma3TextConfig(**small, head_dim=6, query_pre_attn_scalar=5, sliding_window=4, layer_types=[
            "sliding_attention", "full_attention", "sliding_attention"], rope_parameters={
                "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}})),
    }


def positions_of(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)


def example(seed: int, lengths: list, left: set, prompts: list) -> dict:
    """Rows of token ids with their masks; labels are the tokens behind each row's prompt."""
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths)
    ids = torch.zeros(len(lengths), width, dtype=torch.int64)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, (length, prompt) in enumerate(zip(lengths, prompts)):
        start = width - length if row in left else 0
        tokens = torch.randint(3, VOCABULARY, (length,), generator=generator)
        ids[row, start:start + length] = tokens
        mask[row, start:start + length] = 1
        labels[row, start + prompt:start + length] = tokens[prompt:]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def objective(model, batch: dict):
    mask = batch["attention_mask"]
    logits = model(input_ids=batch["input_ids"], attention_mask=mask, position_ids=positions_of(mask)).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY), batch["labels"][:, 1:].reshape(-1), ignore_index=-100)
    return logits, loss


def greedy(model, prompt: list, count: int) -> dict:
    ids, smallest = list(prompt), float("inf")
    with torch.no_grad():
        for _ in range(count):
            best = model(input_ids=torch.tensor([ids])).logits[0, -1].topk(2)
            smallest = min(smallest, float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
    own = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.int64), do_sample=False,
                         max_new_tokens=count, min_new_tokens=count)[0].tolist()
    assert own == ids, "generate does not give what the whole sequence gives, or the text ended"
    return {"tokens": ids[len(prompt):], "smallestGap": smallest}


def write_tokenizer(path, tokenizer: Tokenizer, fallback: bool) -> None:
    tokenizer.save(str(path / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True} if fallback else {
        "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<pad>"}
    save_json(path / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 96, "clean_up_tokenization_spaces": False, **names})


MORE = ["smollm3", "granite", "olmo2", "phi3", "gemma", "gemma2", "gemma3"]


def write_model(name: str, model, seed: int) -> None:
    path = folder(f"decoders/{name}")
    model.eval()
    randomize(model, seed, 0.4)
    model.generation_config.eos_token_id = model.config.eos_token_id
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(path)
    if name not in MORE:
        model.generation_config.save_pretrained(path)
    weights = {k: v.detach().clone().contiguous() for k, v in model.named_parameters()}
    if name == "qwen2":
        names = sorted(weights)
        half = len(names) // 2
        files = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
        for file, part in files.items():
            save(path / file, {k: weights[k] for k in part}, {"format": "pt"})
        save_json(path / "model.safetensors.index.json", {
            "metadata": {"total_size": sum(v.numel() * 4 for v in weights.values())},
            "weight_map": {k: file for file, part in files.items() for k in part}})
    else:
        save(path / "model.safetensors", weights, {"format": "pt"})

    batch = example(seed + 1, [12, 9, 7], {1}, [4, 2, 3])
    logits, loss = objective(model, batch)
    loss.backward()
    reference = {f"in.{k}": v for k, v in batch.items()} | {"logits": logits, "loss": loss}
    for parameter, value in model.named_parameters():
        assert value.grad is not None and value.grad.abs().max() > 0, parameter
        reference[f"g.{parameter}"] = value.grad
    save(path / "reference.safetensors", reference)
    print(name, f"loss {float(loss):.4f}")
    if name in MORE:
        return
    tokenizer = byte_fallback() if name == "llama" else byte_level()
    write_tokenizer(path, tokenizer, name == "llama")
    text = "the long river was"
    prompt = tokenizer.encode(text).ids
    made = greedy(model, prompt, 50)
    assert made["smallestGap"] > 1e-4, (name, made["smallestGap"])
    save_json(path / "generation.json", {"text": text, "prompt": prompt, **made, "generated": tokenizer.decode(made["tokens"])})
    print(name, "gap", made["smallestGap"], "distinct", len(set(made["tokens"])))


SCALINGS = {
    "default": {"rope_theta": 500.0},
    "linear": {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
    "linear5": {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}},
    "dynamic": {"max_position_embeddings": 8, "rope_theta": 500.0, "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}},
    "llama3": {"rope_theta": 500.0, "rope_scaling": {
        "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}},
    "yarn": {"rope_theta": 500.0, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}},
    "yarn5": {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 500.0, "original_max_position_embeddings": 32,
                                  "beta_fast": 16.0, "beta_slow": 2.0, "mscale": 0.7, "mscale_all_dim": 1.2, "truncate": False}},
    "longrope": {"rope_theta": 500.0, "original_max_position_embeddings": 8, "rope_scaling": {
        "rope_type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [2.0, 3.0, 4.0, 5.0]}},
    "longropeShort": {"rope_theta": 500.0, "original_max_position_embeddings": 64, "rope_scaling": {
        "rope_type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [2.0, 3.0, 4.0, 5.0]}},
}


def write_scalings(weights: dict) -> None:
    """The longest row has 12 tokens: beyond the `dynamic` and `longrope` thresholds of 8, below `longropeShort`'s."""
    batch = example(77, [12, 5], set(), [1, 1])
    tensors = {f"in.{k}": v for k, v in batch.items()}
    configs = {}
    settings = llama_settings() | {"num_attention_heads": 2, "num_key_value_heads": 1}
    for name, scaling in SCALINGS.items():
        config = settings | scaling
        model = LlamaForCausalLM(LlamaConfig(**json.loads(json.dumps(config)))).eval()
        model.load_state_dict({k: v for k, v in weights.items()}, strict=True)
        with torch.no_grad():
            tensors[name] = objective(model, batch)[0]
        configs[name] = {"model_type": "llama", **config}
    values = [tensors[name] for name in SCALINGS]
    for i, a in enumerate(values):
        for j, b in enumerate(values[:i]):
            same = {list(SCALINGS)[i], list(SCALINGS)[j]} == {"linear", "linear5"}
            assert torch.equal(a, b) == same, (i, j)
    path = folder("decoders")
    save(path / "rope.safetensors", tensors | {f"w.{k}": v for k, v in weights.items()})
    save_json(path / "rope.json", configs)


def train(path) -> None:
    """50 steps of AdamW on the llama, no dropout: betas (.9, .999), eps 1e-8, weight decay .01 but not on norms, clipping
    at 1, lr_t = 5e-3 * (t / 5 if t < 5 else (50 - t) / 45); batch t is t % 5, so that there is something to learn."""
    model = make_models()["llama"].eval()
    randomize(model, 200, 0.4)
    start = {f"start.{n}": p.detach().clone() for n, p in model.named_parameters()}
    steps, rate = 50, 5e-3
    batches = [example(900 + i, [10, 8, 6, 9], {1}, [3, 1, 2, 4]) for i in range(5)]
    plain = {n: p for n, p in model.named_parameters() if "norm" in n}
    decayed = {n: p for n, p in model.named_parameters() if n not in plain}
    optimizer = torch.optim.AdamW(
        [{"params": list(decayed.values()), "weight_decay": 0.01}, {"params": list(plain.values()), "weight_decay": 0.0}],
        lr=rate, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, 5, steps)
    losses, norms = [], []
    for step in range(steps):
        optimizer.zero_grad()
        _, loss = objective(model, batches[step % 5])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).detach())
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
    save_json(path / "training.json", {
        "steps": steps, "learningRate": rate, "warmupSteps": 5, "clip": 1.0, "weightDecay": 0.01, "withoutWeightDecay": list(plain),
        "losses": floats(torch.stack(losses)), "gradientNorms": floats(torch.stack(norms))})
    save(path / "training.safetensors", start | {f"batch{i}.{k}": v for i, batch in enumerate(batches) for k, v in batch.items()})
    print("training", f"{float(losses[0]):.3f} -> {float(losses[-1]):.3f}")


def write_tokenizers(path) -> None:
    texts = [*TEXTS, "", " the  boat ", "boaté €\nriver", "<s>the</s> boat<|endoftext|>", "BOAT"]
    made = {"byteLevel": ("gpt2", byte_level()), "byteFallback": ("llama", byte_fallback())}
    save_json(path / "tokenizers.json", {
        name: {"model": model, "texts": [{"text": t, "ids": tok.encode(t).ids, "plain": tok.encode(t, add_special_tokens=False).ids,
                                          "decoded": tok.decode(tok.encode(t).ids)} for t in texts]}
        for name, (model, tok) in made.items()})


def main() -> None:
    wanted = set(sys.argv[1:])
    path = folder("decoders")
    for index, (name, model) in enumerate({**make_models(), **more_models()}.items()):
        if not wanted or name in wanted:
            write_model(name, model, 100 * (index + 1))
    if not wanted or "rope" in wanted:
        settings = llama_settings() | {"num_attention_heads": 2, "num_key_value_heads": 1}
        model = LlamaForCausalLM(LlamaConfig(**settings))
        randomize(model, 300, 0.4)
        write_scalings({k: v.detach().clone() for k, v in model.named_parameters()})
    if not wanted or "training" in wanted:
        train(path)
    if not wanted or "tokenizers" in wanted:
        write_tokenizers(path)


if __name__ == "__main__":
    main()
