"""transformers and PEFT: joint steps of a query encoder and a generator, RAG-Sequence or RAG-Token, all prompts in one padded batch:
a decoder, with adapters or whole, in plain PyTorch; an encoder-decoder by transformers' RagModel.

`batches`: JSON lines, each a list of questions {"query": [ids], "prompts": [[ids], …], "answer": [ids], "vectors": [[…], …]}: beside
each prompt its passage's stored vector. The loss is the mean over questions of −log p(answer | question), the passages summed out.
"""
import json
import sys

import torch
import transformers

from decoders import collate, load_decoder
from encoders import embed
from side import read_lines
from steps import answer_with_steps, set_dropout

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
batches = read_lines(settings["batches"])
kind = transformers.AutoConfig.from_pretrained(settings["model"])
if kind.is_encoder_decoder:
    reader = transformers.AutoModelForSeq2SeqLM.from_pretrained(settings["model"], dtype=torch.float32).train()
    versions = {"transformers": transformers.__version__}
else:
    reader, versions = load_decoder(settings["model"], settings.get("lora"))
encoder = transformers.AutoModel.from_pretrained(settings["encoder"], dtype=torch.float32).train()
set_dropout(encoder, 0.0)
pad = reader.config.pad_token_id or 0
both = torch.nn.ModuleDict({"encoder": encoder, "reader": reader})
if kind.is_encoder_decoder:
    RagConfig, forms = transformers.RagConfig, {"rag-sequence": transformers.RagSequenceForGeneration, "rag-token": transformers.RagTokenForGeneration}
    config = RagConfig.from_question_encoder_generator_configs(encoder.config, reader.config, do_marginalize=False, pad_token_id=pad)
    rag = forms[settings["loss"]](config=config, question_encoder=encoder, generator=reader)


def padded(rows, value):
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def scores_of(questions):
    vectors = torch.tensor([question["vectors"] for question in questions])
    return (embed(encoder, [question["query"] for question in questions])[:, None] * vectors).sum(-1) / settings["temperature"]


def loss_of_rag(step):
    questions = batches[step]
    k = len(questions[0]["prompts"])
    prompts = [prompt for question in questions for prompt in question["prompts"]]
    labels = padded([[reader.config.decoder_start_token_id, *question["answer"]] for question in questions], pad)
    outputs = rag(
        context_input_ids=padded(prompts, pad), context_attention_mask=padded([[1] * len(prompt) for prompt in prompts], 0),
        doc_scores=scores_of(questions), labels=labels, n_docs=k)
    return rag.get_nll(outputs.logits, outputs.doc_scores, labels, n_docs=k).mean()


def loss_of(step):
    questions = batches[step]
    k = len(questions[0]["prompts"])
    prior = scores_of(questions).log_softmax(-1)
    rows = [{"ids": prompt + question["answer"], "from": len(prompt)} for question in questions for prompt in question["prompts"]]
    batch = collate(rows, pad)
    labels = batch.pop("labels")[:, 1:]
    logits = reader(**batch).logits[:, :-1]
    real = labels >= 0
    found = logits.log_softmax(-1).gather(2, labels.clamp(min=0)[:, :, None]).squeeze(2)
    total = 0.0
    for index, question in enumerate(questions):
        chosen = [found[index * k + i][real[index * k + i]] for i in range(k)]
        tokens = torch.stack(chosen)
        if settings["loss"] == "rag-token":
            total = total - (prior[index][:, None] + tokens).logsumexp(0).sum()
        else:
            total = total - (prior[index] + tokens.sum(-1)).logsumexp(0)
    return total / len(questions)


answer_with_steps(both, loss_of_rag if kind.is_encoder_decoder else loss_of, settings["learningRate"], settings["steps"], **versions)
