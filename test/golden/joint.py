"""joint/: a retriever and a generator trained as one (RAG-Sequence and RAG-Token), loss and every gradient.

    python joint.py [NAME …]

The generators' weights are those of decoders/llama and seq2seq/{t5,bart}. Questions are encoded by bert-tiny; passages by the
same network with other random weights (`passage.safetensors`), both with the tokenizer of sentence-transformers-tiny. All of it is
computed in float64, each text alone and without padding.
joint/NAME.json
  similarity, temperature, pooling   how questions and passages are compared
  k             places for passages; the first question has k, the second one less, the third none and is asked without
  questions     `query`: text and, behind the model's prompt, ids; `answer`: ids, the end of sequence last; `weight`; `alone`: the
                prompt without a passage; `passages`: `text`, `ids`, `vector` (what a store holds: of unit length for cosine) and
                `prompt`, ids, which begins as the others of its question do
  priors        log p_R of the places, by question
  answers       log-likelihoods of the answers' tokens under each place's prompt
  losses        by loss and smoothing, `rag-token 0.1`: sum_b w_b loss_b / sum_b w_b
  gradients     by the same: for every parameter of `query/`, `passage/` and `generator/` its norm and sum_n g[n] cos(n), n from
                0 in C order, which sees what a norm does not. Where passages are frozen the other two are the same
joint/llama.safetensors: `g.PARAMETER`, the gradients of `rag-sequence 0.1`, stored in float32

With p_i the prior, a softmax over similarities / temperature of the passages that are there, and l[i, t] the log-probability of
answer token t behind the prompt with passage i, V its vocabulary's size:
  rag-sequence   (1 - e) n(1, l_y) + e/V n(V, sum_v l_v),  n(f, l) = -log sum_i exp(f log p_i + sum_t l[i, t])
  rag-token      sum_t (1 - e) m(y) + e/V sum_v m(v),      m(v) = -log sum_i p_i exp l[i, t, v]
transformers' RagSequenceForGeneration and RagTokenForGeneration have the same loss and gradients for bart, with CLS vectors and
dot products as DPR has them: this script checks it.
"""

import sys

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import (AutoModelForCausalLM, AutoModelForSeq2SeqLM, BertModel, DPRConfig, DPRQuestionEncoder, RagConfig,
                          RagSequenceForGeneration, RagTokenForGeneration)

from encoders import bert
from shared import HERE, Float64, folder, plain_embeddings, randomize, save, save_json

CASES = {
    "llama": {"similarity": "cosine", "temperature": 0.2, "pooling": "mean"},
    "t5": {"similarity": "dot", "temperature": 2.0, "pooling": "mean"},
    "bart": {"similarity": "dot", "temperature": 4.0, "pooling": "cls"},
}
K, VOCABULARY, EPSILONS = 3, 96, (0, 0.1)
QUERIES = ["where is the capital of 京?", "who was in Paris in 1985?", "an event of the east"]
PASSAGES = [["the 首都 is 北京", "a river in the north of the city", "Paris"], ["Paris is the capital of France in 1985", "in the east"], []]
ANSWERS, WEIGHTS = [3, 2, 4], [1, 0.5, 1]
tokenizer = Tokenizer.from_file(str(HERE / "sentence-transformers-tiny" / "tokenizer.json"))


def encoders() -> tuple:
    query, passage = bert().eval(), bert().eval()
    query.load_state_dict(load_file(HERE / "bert-tiny" / "model.safetensors"))
    randomize(passage, 41)
    return query, passage


def embed(model: BertModel, ids: list, case: dict) -> torch.Tensor:
    hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
    pooled = hidden.mean(0) if case["pooling"] == "mean" else hidden[0]
    return pooled / pooled.norm() if case["similarity"] == "cosine" else pooled


def draw_questions(model, seed: int) -> list:
    generator = torch.Generator().manual_seed(seed)
    end, both = model.config.eos_token_id, model.config.is_encoder_decoder

    def draw(count: int) -> list:
        return torch.randint(3, VOCABULARY, (count,), generator=generator).tolist()

    def question(number: int) -> dict:
        beginning, last = draw(5 - number), [end] if both else []
        text = QUERIES[number]
        return {
            "query": {"text": text, "ids": tokenizer.encode(f"query: {text}").ids},
            "answer": draw(ANSWERS[number]) + [end], "weight": WEIGHTS[number], "alone": beginning + draw(2) + last,
            "passages": [{"text": passage, "ids": tokenizer.encode(f"passage: {passage}").ids, "prompt": beginning + draw(length) + last}
                         for passage, length in zip(PASSAGES[number], (3, 6, 2))]}

    return [question(number) for number in range(len(QUERIES))]


def log_probabilities(model, prompt: list, answer: list) -> torch.Tensor:
    """[tokens, vocabulary]"""
    if model.config.is_encoder_decoder:
        inputs = [model.config.decoder_start_token_id, *answer[:-1]]
        return model(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([inputs])).logits[0].log_softmax(-1)
    return model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)


def losses_of(prior: torch.Tensor, tokens: torch.Tensor, answer: list) -> dict:
    """By loss and smoothing; prior [places], tokens [places, T, V]."""
    size = tokens.shape[-1]
    chosen = tokens.gather(-1, torch.tensor(answer).expand(len(prior), -1)[..., None])[..., 0]
    sequence = [-(factor * prior + values.sum(1)).logsumexp(0) for factor, values in ((1, chosen), (size, tokens.sum(-1)))]
    marginal = (prior[:, None, None] + tokens).logsumexp(0)
    token = [-marginal.gather(-1, torch.tensor(answer)[:, None]).sum(), -marginal.sum()]
    return {f"{name} {epsilon}": (1 - epsilon) * nll + epsilon / size * whole
            for name, (nll, whole) in (("rag-sequence", sequence), ("rag-token", token)) for epsilon in EPSILONS}


def padded(rows: list, value: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def of_transformers(query: BertModel, passage: BertModel, generator, questions: list, case: dict, key: str) -> torch.Tensor:
    """The same loss by transformers' RAG, which takes a padded batch; places without a passage have no probability there."""
    name, epsilon = key.split()
    question_config = DPRConfig(**{key: value for key, value in query.config.to_dict().items() if key != "model_type"}, projection_dim=0)
    encoder = DPRQuestionEncoder(question_config)
    encoder.question_encoder.bert_model = query
    pad = generator.config.pad_token_id
    config = RagConfig.from_question_encoder_generator_configs(question_config, generator.config, n_docs=K, do_marginalize=False, pad_token_id=pad)
    kind = RagSequenceForGeneration if name == "rag-sequence" else RagTokenForGeneration
    rag = kind(config=config, question_encoder=encoder, generator=generator).double().eval()
    asked = [question["query"]["ids"] for question in questions]
    vectors = rag.question_encoder(padded(asked, 0), attention_mask=padded([[1] * len(ids) for ids in asked], 0))[0]
    scores, prompts = [], []
    for number, question in enumerate(questions):
        found = question["passages"]
        there = [embed(passage, each["ids"], case) @ vectors[number] / case["temperature"] for each in found]
        there = there or [torch.tensor(0.0, dtype=torch.float64)]
        scores.append(torch.stack(there + [torch.tensor(-1e30, dtype=torch.float64)] * (K - len(there))))
        own = [each["prompt"] for each in found] or [question["alone"]]
        prompts += own + own[:1] * (K - len(own))
    labels = padded([[generator.config.decoder_start_token_id, *question["answer"]] for question in questions], pad)
    outputs = rag(
        context_input_ids=padded(prompts, pad), context_attention_mask=padded([[1] * len(prompt) for prompt in prompts], 0),
        doc_scores=torch.stack(scores), labels=labels, n_docs=K)
    each = rag.get_nll(outputs.logits, outputs.doc_scores, labels, epsilon=float(epsilon), n_docs=K)
    weights = torch.tensor([question["weight"] for question in questions], dtype=torch.float64)
    return (each * weights).sum() / weights.sum()


def compute(name: str, seed: int) -> tuple:
    case = CASES[name]
    kind, path = (AutoModelForCausalLM, "decoders") if name == "llama" else (AutoModelForSeq2SeqLM, "seq2seq")
    generator = kind.from_pretrained(HERE / path / name, attn_implementation="sdpa").eval().double()
    query, passage = (model.double() for model in encoders())
    parts = {"query": query, "passage": passage, "generator": generator}
    for model in parts.values():
        plain_embeddings(model)
    parameters = {f"{part}/{key}": value for part, model in parts.items() for key, value in model.named_parameters() if value.requires_grad}
    questions = draw_questions(generator, seed)

    priors, likelihoods, sums = [], [], {}
    for question in questions:
        own = embed(query, question["query"]["ids"], case)
        vectors = [embed(passage, each["ids"], case) for each in question["passages"]]
        for each, vector in zip(question["passages"], vectors):
            each["vector"] = [float(f"{value:.9g}") for value in vector.tolist()]
        scores = torch.stack([vector @ own for vector in vectors]) if vectors else torch.zeros(1, dtype=torch.float64)
        prior = (scores / case["temperature"]).log_softmax(0)
        prompts = [each["prompt"] for each in question["passages"]] or [question["alone"]]
        tokens = torch.stack([log_probabilities(generator, prompt, question["answer"]) for prompt in prompts])
        for key, loss in losses_of(prior, tokens, question["answer"]).items():
            sums[key] = sums.get(key, 0) + question["weight"] * loss / sum(WEIGHTS)
        priors.append(prior.tolist())
        likelihoods.append(tokens.gather(-1, torch.tensor(question["answer"]).expand(len(prompts), -1)[..., None])[..., 0].tolist())

    gradients, kept = {}, {}
    for key, loss in sums.items():
        found = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values()), retain_graph=True, materialize_grads=True)))
        gradients[key] = {
            parameter: [float(f"{value.norm():.9g}"), float(f"{(value.flatten() * torch.cos(torch.arange(value.numel()).double())).sum():.9g}")]
            for parameter, value in found.items()}
        if (name, key) == ("llama", "rag-sequence 0.1"):
            kept = {f"g.{parameter}": value for parameter, value in found.items()}
        if name == "bart":
            other = of_transformers(query, passage, generator, questions, case, key)
            torch.testing.assert_close(other, loss, rtol=1e-9, atol=0)
            theirs = dict(zip(parameters, torch.autograd.grad(other, list(parameters.values()), materialize_grads=True)))
            for parameter, value in found.items():
                torch.testing.assert_close(theirs[parameter], value, rtol=1e-6, atol=1e-9)
    print(name, {key: round(loss.item(), 4) for key, loss in sums.items()}, [[round(p, 2) for p in torch.tensor(of).exp().tolist()] for of in priors], flush=True)
    values = {**case, "k": K, "questions": questions, "priors": priors, "answers": likelihoods,
              "losses": {key: loss.item() for key, loss in sums.items()}, "gradients": gradients}
    return kept, values


if __name__ == "__main__":
    with torch.no_grad():
        save(folder("joint") / "passage.safetensors", encoders()[1].state_dict(), {"format": "pt"})
    for number, item in enumerate(CASES):
        if item in (sys.argv[1:] or CASES):
            with Float64():
                tensors, values = compute(item, 1400 + number)
            save_json(folder("joint") / f"{item}.json", values, indent=None)
            if tensors:
                save(folder("joint") / f"{item}.safetensors", {key: value.float() for key, value in tensors.items()})
