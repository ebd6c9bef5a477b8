"""transformers and PEFT: joint steps of a query encoder and a decoder with adapters, RAG-Sequence or RAG-Token in plain PyTorch, all
prompts in one padded batch.

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
decoder, versions = load_decoder(settings["model"], settings["lora"])
encoder = transformers.AutoModel.from_pretrained(settings["encoder"], dtype=torch.float32).train()
set_dropout(encoder, 0.0)
pad = decoder.config.pad_token_id or 0
both = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder})


def loss_of(step):
    questions = batches[step]
    k = len(questions[0]["prompts"])
    vectors = torch.tensor([question["vectors"] for question in questions])
    scores = (embed(encoder, [question["query"] for question in questions])[:, None] * vectors).sum(-1) / settings["temperature"]
    prior = scores.log_softmax(-1)
    rows = [{"ids": prompt + question["answer"], "from": len(prompt)} for question in questions for prompt in question["prompts"]]
    batch = collate(rows, pad)
    labels = batch.pop("labels")[:, 1:]
    logits = decoder(**batch).logits[:, :-1]
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


answer_with_steps(both, loss_of, settings["learningRate"], settings["steps"], **versions)
