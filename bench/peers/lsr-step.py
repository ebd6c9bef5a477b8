"""FedRAG's loop of LM-supervised retrieval (fed-rag 0.0.27, data_collators/huggingface/lsr.py and its generators), in transformers and
PyTorch: for each pair of a batch the reader runs by itself over prompt and answer, in every step anew; then the divergence of the
retriever's distribution is taken and the query encoder updated.

Three things are mended, as the sides would not do the same work otherwise: gradients reach the encoder, which they never do there,
scores are mean log-probabilities in place of probabilities, which underflow, and a token's are read where it is predicted, not one
place later.

`batches`: JSON lines, each a list of questions {"query": [ids], "prompts": [[ids], …], "answer": [ids], "vectors": [[…], …]}.
"""
import json
import sys

import torch
import transformers

from decoders import load_decoder
from encoders import embed
from side import read_lines
from steps import answer_with_steps, set_dropout

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
batches = read_lines(settings["batches"])
decoder, versions = load_decoder(settings["model"])
decoder.eval()
encoder = transformers.AutoModel.from_pretrained(settings["encoder"], dtype=torch.float32).train()
set_dropout(encoder, 0.0)
temperatures = settings["temperatures"]


def score(prompt, answer):
    with torch.no_grad():
        logits = decoder(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        return logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).mean()


def loss_of(step):
    questions = batches[step % len(batches)]
    scores = torch.stack(
        [torch.stack([score(prompt, question["answer"]) for prompt in question["prompts"]]) for question in questions]
    )
    target = (scores / temperatures["teacher"]).softmax(-1)
    vectors = torch.tensor([question["vectors"] for question in questions])
    similarities = (embed(encoder, [question["query"] for question in questions])[:, None] * vectors).sum(-1)
    prior = (similarities / temperatures["retriever"]).log_softmax(-1)
    return torch.nn.functional.kl_div(prior, target, reduction="batchmean")


answer_with_steps(encoder, loss_of, settings["learningRate"], settings["steps"], **versions)
