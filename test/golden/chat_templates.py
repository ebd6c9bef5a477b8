"""chat-templates/golden.json: what transformers' apply_chat_template makes of conversations with real models' templates.

NAME.jinja are the models' own, see README.md for where they come from. The day is the 5th of March 2026, 14:07:09.
"""

import datetime
import json

import transformers.utils.chat_template_utils as chat_template_utils
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from shared import HERE


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 5, 14, 7, 9)


chat_template_utils.datetime = Fixed

MODELS = {
    "gemma-2": {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"},
    "granite-3.3": {"bos_token": "<|end_of_text|>", "eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>"},
    "llama-3.2": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    "mistral-nemo": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "mistral-small-3.2": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "phi-3.5": {"bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
    "qwen2.5": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "qwen3": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "smollm2": {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"},
}
RAG = ("Given the user query below, provide a response making use of the provided background context.\n\n"
       "<query>\nHow long was the river?\n</query>\n\n<context>\nThe river\nIt was long — «1,250 km» 🚀.\n\nThe sea was far.\n</context>")
USER, ANSWER = {"role": "user", "content": "How long was it?"}, {"role": "assistant", "content": "A mile."}
SYSTEM = {"role": "system", "content": "Be short."}
TOOL = {"type": "function", "function": {"name": "find", "description": "Finds <passages> & 'more'.", "parameters": {
    "type": "object", "properties": {"query": {"type": "string"}, "k": {"type": "integer"}}, "required": ["query"]}}}
CASES = {
    "rag": ([{"role": "user", "content": RAG}], {}),
    "user": ([USER], {}),
    "no generation prompt": ([USER], {"add_generation_prompt": False}),
    "system": ([SYSTEM, USER], {}),
    "turns": ([USER, ANSWER, {"role": "user", "content": 'And "wide" \\ \'deep\' {{ it }}?'}], {}),
    "answered": ([USER, ANSWER], {"add_generation_prompt": False}),
    "white space around": ([{"role": "user", "content": " \n How long?\t\n"}], {}),
    "no thinking": ([USER], {"enable_thinking": False}),
    "tools": ([USER], {"tools": [TOOL]}),
    "documents": ([USER], {"documents": [{"doc_id": 1, "title": "River", "text": "It was long."}, {"doc_id": 2, "title": "", "text": "ä <b>"}]}),
    "wrong order": ([ANSWER, ANSWER], {"add_generation_prompt": False}),
}


def main() -> None:
    golden: dict = {"library": "transformers 5.23.0", "models": {}}
    for name, tokens in MODELS.items():
        template = (HERE / "chat-templates" / f"{name}.jinja").read_text()
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), chat_template=template, **tokens)
        cases = []
        for case, (messages, options) in CASES.items():
            row = {"case": case, "messages": messages, "addGenerationPrompt": True}
            variables = dict(options)
            row["addGenerationPrompt"] = variables.pop("add_generation_prompt", True)
            row["variables"] = variables
            try:
                row["text"] = tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=row["addGenerationPrompt"], **variables)
            except Exception as error:
                row["refused"] = str(error)
            cases.append(row)
        golden["models"][name] = {"tokens": tokens, "cases": cases}
        print(name, {row["case"]: row["refused"] for row in cases if "refused" in row})
    text = json.dumps(golden, ensure_ascii=True, separators=(",", ":"))
    (HERE / "chat-templates" / "golden.json").write_text(text.replace('{"case"', '\n{"case"') + "\n")


main()
