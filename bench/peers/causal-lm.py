"""transformers, and PEFT for adapters: the steps of bench/sides/causal-lm.ts."""
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
    return model(**collate(batches[step], pad)).loss


answer_with_steps(model, loss_of, settings["learningRate"], settings["steps"], **versions)
