"""smollm2.json: what the real SmolLM2-135M-Instruct computes: logits, a loss with every gradient's norm, a greedy text.

`exact` is the loss and the norms in float64: PyTorch's own float32 strays from them, because the model has activations of
several thousand, and that bounds what a comparison may ask.

    python smollm.py FOLDER_OF_SMOLLM2_135M_INSTRUCT
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from shared import HERE, floats, save_json, sha256

TEXTS = [
    "The capital of France is Paris, and the capital of Germany is Berlin.",
    "def add(a, b):\n    return a + b",
    "Retrieval helps a language model to answer questions about things that it has never seen.",
]
PROMPT = "<|im_start|>user\nWhat is the capital of Portugal?<|im_end|>\n<|im_start|>assistant\n"


def main(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = [tokenizer(text).input_ids for text in TEXTS]
    width = max(map(len, rows))
    ids, mask = torch.zeros(len(rows), width, dtype=torch.int64), torch.zeros(len(rows), width, dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
        mask[i, :len(row)] = 1
    labels = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100).flatten()

    def objective() -> tuple:
        model.zero_grad()
        logits = model(input_ids=ids, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels)
        loss.backward()
        return logits, float(loss), {name: float(p.grad.norm()) for name, p in model.named_parameters()}

    logits, loss, norms = objective()
    best = logits.detach().topk(5, dim=-1)
    prompt = tokenizer(PROMPT).input_ids
    with torch.no_grad():
        made = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.int64), do_sample=False,
                              max_new_tokens=30, min_new_tokens=30)[0, len(prompt):].tolist()
    model.double()
    _, exact_loss, exact_norms = objective()
    save_json(HERE / "smollm2.json", {
        "model": "HuggingFaceTB/SmolLM2-135M-Instruct", "weightsSha256": sha256(folder / "model.safetensors"),
        "texts": TEXTS, "ids": rows,
        "rows": [{
            "best": best.indices[i, :len(row)].tolist(), "logits": floats(best.values[i, :len(row)]),
            "logSumExp": floats(logits[i, :len(row)].detach().logsumexp(-1)),
        } for i, row in enumerate(rows)],
        "loss": loss, "gradientNorms": norms, "exact": {"loss": exact_loss, "gradientNorms": exact_norms},
        "prompt": PROMPT, "promptIds": prompt, "generated": made, "text": tokenizer.decode(made),
    }, indent=None)
    print(loss, exact_loss, repr(tokenizer.decode(made)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
