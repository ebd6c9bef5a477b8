"""PyTorch eager: the same steps as bench/sides/dual-encoder-dense.ts."""
import json
import sys

import torch
import transformers

from side import ids
from steps import answer_with_steps, set_dropout

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
model = transformers.BertModel.from_pretrained(settings["model"], add_pooling_layer=False).train()
set_dropout(model, 0.0)
batch, tokens, vocabulary = settings["batch"], settings["tokens"], model.config.vocab_size
mask = torch.ones(batch, tokens, dtype=torch.long)


def embed(seed):
    input_ids = torch.tensor(ids(batch * tokens, seed, vocabulary)).view(batch, tokens)
    hidden = model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    return torch.nn.functional.normalize(hidden.mean(1), dim=-1)


def loss_of(step):
    scores = embed(2 * step) @ embed(2 * step + 1).T * 20
    return torch.nn.functional.cross_entropy(scores, torch.arange(batch))


answer_with_steps(
    model, loss_of, settings["learningRate"], settings["steps"], transformers=transformers.__version__
)
