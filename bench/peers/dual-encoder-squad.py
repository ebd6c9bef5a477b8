"""sentence-transformers' model and MultipleNegativesRankingLoss on the batches of bench/sides/dual-encoder-squad.ts."""
import json
import sys

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from side import read_lines
from steps import answer_with_steps, set_dropout

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
run = settings["run"]
batches = read_lines(settings["batches"])
model = SentenceTransformer(run["model"], device="cpu").train()
model.max_seq_length = run["maxLength"]
if run["dropout"] != "model":
    set_dropout(model, run["dropout"])
batch_loss = MultipleNegativesRankingLoss(model, scale=20)


def loss_of(step):
    features = [model.preprocess(list(texts)) for texts in zip(*batches[step])]
    return batch_loss(features, None)


versions = {"transformers": transformers.__version__, "sentence-transformers": sentence_transformers.__version__}
# With dropout losses are not compared, so it makes no difference with which weights the rounds begin.
warmup = settings["warmup"]
skipped = warmup - 1 if run["dropout"] == "model" else 0
answer_with_steps(model, loss_of, run["lr"], settings["steps"], warmup - skipped, skipped, **versions)
