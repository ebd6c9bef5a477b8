"""transformers' `generate`: `newTokens` greedy tokens behind each prompt, all prompts in one batch, the end of sequence a token like any other.

`prompts`: JSON lines of token ids. Seconds are those of a new token of all prompts together; what was made is compared.
"""
import json
import sys
import time

import torch
import transformers

from side import answer, read_lines

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
prompts, count = read_lines(settings["prompts"]), settings["newTokens"]
model = transformers.AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32).eval()
pad = model.config.pad_token_id or 0
width = max(map(len, prompts))
ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
model.generation_config.eos_token_id = None
options = {"do_sample": False, "num_beams": 1, "max_new_tokens": count, "pad_token_id": pad}


def round_of_work():
    started = time.perf_counter()
    with torch.no_grad():
        made = model.generate(input_ids=ids, attention_mask=mask, **options)
    return (time.perf_counter() - started) / count, made[:, width:].flatten().tolist()


round_of_work()
answer(round_of_work, torch=torch.__version__, transformers=transformers.__version__)
