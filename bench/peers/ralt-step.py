"""transformers, and PEFT for adapters: steps on answers behind each of k retrieved passages, all prompts in one padded batch.

`batches`: JSON lines, each a list of questions {"prompts": [[ids], …], "answer": [ids]}; the loss is the mean over all tokens of the
answers.
"""
import json
import sys

import torch

from decoders import collate, load_decoder
from side import read_lines
from steps import answer_with_steps

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
batches = read_lines(settings["batches"])
model, versions = load_decoder(settings["model"], settings.get("lora"))
pad = model.config.pad_token_id or 0


def loss_of(step):
    rows = [{"ids": prompt + question["answer"], "from": len(prompt)} for question in batches[step] for prompt in question["prompts"]]
    return model(**collate(rows, pad)).loss


answer_with_steps(model, loss_of, settings["learningRate"], settings["steps"], **versions)
