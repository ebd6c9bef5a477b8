"""generation/NAME.json: what transformers' `generate` gives for the weights of decoders/NAME and seq2seq/NAME.

    python generation.py [NAME …]

All of it is computed in float64; float32 and weights changed by 1e-6 of themselves give the same tokens, so nothing hangs on
a near tie. Prompts of different lengths are one batch, padded at the left (at the right for the encoders of t5 and bart) and
masked; each prompt alone gives the same, and so does decoding without a cache. `generated` holds what comes after the prompt
(or after the decoder's start token), and the end of sequence where it came, never the padding behind it.
  prompts                    ids of 8 prompts as the model gets them; for t5 and bart the encoder's input
  endOfSequence              the ends of `greedy` and `repetitionPenalty`: the one of the model's own configuration, and another
                             token, because random weights seldom say the first
  greedy                     maxNewTokens 20; `generated`, and the smallest gap between the best two logits at any place of any
                             prompt (`smallestGap`)
  repetitionPenalty          the same with repetition_penalty 1.3, each prompt alone: before softmax a token that stands in the
                             prompt or in what was made has its logit l divided by 1.3 if l > 0, else multiplied, once however
                             often it stands there. In a padded batch transformers counts the padding token as seen, so one
                             prompt is no longer independent of the others. Of t5 and bart only the decoder's own tokens count,
                             its start token among them (bart's is also its end)
  beams                      (llama, gpt2, t5, bart) num_beams 4, num_return_sequences 4, max_new_tokens 12, one `endOfSequence`, by
                             lengthPenalty and earlyStopping: for each of the first 4 prompts its 4 sequences, best first, and `scores`
    Score of a sequence of n new tokens, the end included: sum of log-probabilities / n^lengthPenalty. At each place the best
    2 * 4 continuations of all beams; an end counts as finished only among the best 4 of them; the best 4 that do not end go
    on. Finished sequences are kept by score, 4 at most. early_stopping true stops when 4 are finished; false stops when the
    best running beam's sum divided by its length so far ^ lengthPenalty is no better than the worst of 4 finished ones. At
    maxNewTokens running beams count as finished.
  distributions              (llama) `prompt`, the `logits` after it, and the `probabilities` by settings, in
                             transformers' order: repetition penalty, temperature, top k, top p. Top p keeps the smallest set of
                             best tokens whose probability (after top k) reaches p

phi3: rotary factors depend on the longest row of a batch and change with the 9th token, so its prompts have 9 tokens or more.
"""

import copy
import sys
from collections import Counter

import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from shared import HERE, Float64, floats, folder, save_json

DECODERS = ["gpt2", "llama", "mistral", "qwen2", "qwen3", "smollm3", "granite", "olmo2", "phi3", "gemma", "gemma2", "gemma3"]
SEQ2SEQ = ["t5", "bart"]
WITH_BEAMS = ["llama", "gpt2", "t5", "bart"]
VOCABULARY, NEW, BEAMS, BEAM_NEW, PENALTY = 96, 20, 4, 12, 1.3
LENGTHS = [5, 1, 9, 3, 14, 2, 7, 11]


def load(name: str):
    kind, path = (AutoModelForSeq2SeqLM, "seq2seq") if name in SEQ2SEQ else (AutoModelForCausalLM, "decoders")
    # gemma2 caps its attention's scores, which PyTorch's own attention cannot
    return kind.from_pretrained(HERE / path / name, attn_implementation="eager" if name == "gemma2" else "sdpa").eval()


def variants(model) -> list:
    """The model in float64, in float32, and in float64 with weights a little changed."""
    result = [copy.deepcopy(model).double(), model]
    for seed in range(2):
        changed = copy.deepcopy(model).double()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in changed.parameters():
                parameter.mul_(1 + 1e-6 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        result.append(changed)
    return result


def generate(model, prompts: list, **options):
    width = max(map(len, prompts))
    left = not model.config.is_encoder_decoder
    pad = model.generation_config.pad_token_id or 0

    def padded(rows: list, value: int) -> torch.Tensor:
        fill = [[value] * (width - len(row)) for row in rows]
        return torch.tensor([space + row if left else row + space for space, row in zip(fill, rows)])

    mask = padded([[1] * len(row) for row in prompts], 0)
    with torch.no_grad(), Float64():
        found = model.generate(input_ids=padded(prompts, pad), attention_mask=mask, pad_token_id=pad, return_dict_in_generate=True,
                               output_logits=True, output_scores=True, **options)
    return found, found.sequences[:, width if left else 1:].tolist()


def until_end(row: list, ends: list) -> list:
    place = next((i for i, token in enumerate(row) if token in ends), None)
    return row if place is None else row[: place + 1]


def greedy(model, prompts: list, ends: list, **options) -> tuple:
    found, rows = generate(model, prompts, do_sample=False, num_beams=1, max_new_tokens=NEW, eos_token_id=ends, **options)
    rows = [until_end(row, ends) for row in rows]
    best = torch.stack(found.scores).topk(2, dim=-1).values
    gaps = (best[..., 0] - best[..., 1]).T
    return rows, min(float(gaps[i, : len(row)].min()) for i, row in enumerate(rows))


def whole(model, prompt: list, count: int) -> list:
    """Greedy decoding without a cache: each place from the whole sequence."""
    made = []
    with torch.no_grad(), Float64():
        for _ in range(count):
            if model.config.is_encoder_decoder:
                start = [model.generation_config.decoder_start_token_id]
                logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([start + made])).logits
            else:
                logits = model(input_ids=torch.tensor([prompt + made])).logits
            made.append(int(logits[0, -1].argmax()))
    return made


def penalised(model, prompts: list, ends: list) -> tuple:
    parts = [greedy(model, [prompt], ends, repetition_penalty=PENALTY) for prompt in prompts]
    return [rows[0] for rows, _ in parts], min(gap for _, gap in parts)


def beams(model, prompts: list, end: int, length_penalty: float, early: bool) -> list:
    found, rows = generate(model, prompts, do_sample=False, num_beams=BEAMS, num_return_sequences=BEAMS, max_new_tokens=BEAM_NEW,
                           length_penalty=length_penalty, early_stopping=early, eos_token_id=end)
    scores = floats(found.sequences_scores)
    groups = [range(i * BEAMS, (i + 1) * BEAMS) for i in range(len(prompts))]
    return [{"generated": [until_end(rows[i], [end]) for i in group], "scores": [scores[i] for i in group]} for group in groups]


def prompts_of(name: str, seed: int) -> list:
    generator = torch.Generator().manual_seed(seed)
    lengths = [length + 8 for length in LENGTHS] if name == "phi3" else LENGTHS
    return [torch.randint(3, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]


def varied(rows: list) -> float:
    """Distinct tokens of a row, on average."""
    return sum(len(set(row)) for row in rows) / len(rows)


def try_prompts(name: str, prompts: list, models: list, own: int) -> dict | None:
    """The fixture, or nothing where a choice is close (gemma2's logits are capped, so all of its are closer)."""
    exact = models[0]
    free, _ = greedy(exact, prompts, [own])
    # An end that some prompts reach, late, and others not
    places = {token: [row.index(token) for row in free if token in row] for row in free for token in row}
    good = [token for token, found in places.items() if 2 <= len(found) <= 5 and min(found) >= 2 and token != own]
    if not good:
        return None
    end = max(good, key=lambda token: (sum(places[token]) / len(places[token]), token))
    ends = [own, end]
    rows, gap = greedy(exact, prompts, ends)
    again, penalty_gap = penalised(exact, prompts, ends)
    if min(gap, penalty_gap) < (2e-4 if name == "gemma2" else 1e-3) or again == rows:
        return None
    for other in models[1:]:
        if greedy(other, prompts, ends)[0] != rows or penalised(other, prompts, ends)[0] != again:
            return None
    for prompt, row in zip(prompts, rows):
        assert greedy(exact, [prompt], ends)[0][0] == row and whole(exact, prompt, len(row)) == row, (name, prompt)
    result = {"prompts": prompts, "endOfSequence": ends,
              "greedy": {"maxNewTokens": NEW, "generated": rows, "smallestGap": gap},
              "repetitionPenalty": {"penalty": PENALTY, "maxNewTokens": NEW, "generated": again, "smallestGap": penalty_gap}}
    return result if name not in WITH_BEAMS else try_beams(result, models)


def try_beams(result: dict, models: list) -> dict | None:
    prompts, cases = result["prompts"][:4], []
    free = [sequence for found in beams(models[0], prompts, result["endOfSequence"][0], 1.0, False) for sequence in found["generated"]]
    counts = Counter(token for sequence in free for token in set(sequence[2:]) - set(sequence[:2]))
    for end, _ in counts.most_common():
        cases = []
        for length_penalty, early in [(1.0, False), (1.0, True), (2.0, False)]:
            found = beams(models[0], prompts, end, length_penalty, early)
            sequences = [prompt["generated"] for prompt in found]
            if any([p["generated"] for p in beams(other, prompts, end, length_penalty, early)] != sequences for other in models[1:]):
                break
            for prompt, wanted in zip(prompts, sequences):
                assert beams(models[0], [prompt], end, length_penalty, early)[0]["generated"] == wanted
            cases.append({"numBeams": BEAMS, "maxNewTokens": BEAM_NEW, "endOfSequence": end, "lengthPenalty": length_penalty,
                          "earlyStopping": early, "prompts": found})
        made = [[prompt["generated"] for prompt in case["prompts"]] for case in cases]
        lengths = [len(sequence) for prompts_made in made for prompt in prompts_made for sequence in prompt]
        if len(cases) == 3 and made[0] != made[1] and made[0] != made[2] and min(lengths) < BEAM_NEW == max(lengths):
            return result | {"beams": cases}
    return None


def distributions(model, prompt: list) -> dict:
    names = {"repetition_penalty": "repetitionPenalty", "temperature": "temperature", "top_k": "topK", "top_p": "topP"}
    cases = [dict(temperature=0.7, top_k=5, top_p=0.8), dict(temperature=0.7), dict(top_k=5), dict(top_p=0.8),
             dict(repetition_penalty=PENALTY, temperature=0.7, top_k=5, top_p=0.8)]
    rows, logits = [], None
    for settings in cases:
        options = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} | settings
        found, _ = generate(model, [prompt], do_sample=True, max_new_tokens=1, **options)
        logits = found.logits[0][0]
        probabilities = found.scores[0][0].softmax(-1)
        rows.append({"settings": {names[key]: value for key, value in settings.items()}, "probabilities": floats(probabilities)})
    kept = [sum(p > 0 for p in row["probabilities"]) for row in rows]
    serves = 1 < kept[0] < 5 and kept[1] == VOCABULARY and kept[2] == 5 < kept[3] < VOCABULARY
    serves = serves and any((rows[0]["probabilities"][i] > 0) != (rows[4]["probabilities"][i] > 0) for i in range(VOCABULARY))
    return {"prompt": prompt, "logits": floats(logits), "cases": rows} if serves else {}


def make(name: str) -> None:
    models = variants(load(name))
    own = models[0].generation_config.eos_token_id
    seeds = sorted(range(40), key=lambda seed: -varied(greedy(models[0], prompts_of(name, seed), [own])[0]))
    found = ((seed, try_prompts(name, prompts_of(name, seed), models, own)) for seed in seeds)
    seed, result = next((seed, result) for seed, result in found if result is not None)
    if name == "llama":
        tried = (distributions(models[0], prompts_of(name, seed)[6]) for seed in range(100))
        result["distributions"] = next(found for found in tried if found)
    save_json(folder("generation") / f"{name}.json", result, indent=None)
    rows = result["greedy"]["generated"]
    print(name, f"seed {seed}", [len(row) for row in rows], f"distinct {varied(rows):.1f}",
          f"gaps {result['greedy']['smallestGap']:.1e} {result['repetitionPenalty']['smallestGap']:.1e}", flush=True)


if __name__ == "__main__":
    for item in sys.argv[1:] or [*DECODERS, *SEQ2SEQ]:
        make(item)
