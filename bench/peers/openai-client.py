"""Asks a server by OpenAI's own client and prints, as one line of JSON, what the client made of its answers."""
import asyncio
import json
import platform
import sys

import openai

settings = json.loads(sys.argv[1])
model, question, texts = settings["model"], settings["question"], settings["texts"]
messages = [{"role": "user", "content": question}]


def client_with(key, kind=openai.OpenAI):
    return kind(base_url=f"{settings['url']}/v1", api_key=key, max_retries=0)


client = client_with(settings["key"])


def raised(call):
    """The class, status and field of the error that a call ends in."""
    try:
        call()
    except openai.APIStatusError as error:
        body = error.body if isinstance(error.body, dict) else {}
        return {"class": type(error).__name__, "status": error.status_code, "code": error.code, "message": body.get("message")}
    return {"class": "none"}


def chat(**more):
    return client.chat.completions.create(**{"model": model, "messages": messages, **more})


def streamed():
    parts = list(chat(stream=True, stream_options={"include_usage": True}))
    choices = [part.choices[0] for part in parts if part.choices]
    return {
        "text": "".join(choice.delta.content or "" for choice in choices),
        "finish": choices[-1].finish_reason,
        "written": parts[-1].usage.completion_tokens,
        "sources": [source["id"] for source in parts[0].model_extra["tandem"]["sources"]],
    }


async def together():
    """Several questions at once, in the order of their answers' requests."""
    async with client_with(settings["key"], openai.AsyncOpenAI) as many:
        answers = await asyncio.gather(
            *(
                many.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
                for text in texts
            )
        )
    return [answer.choices[0].message.content for answer in answers]


whole = chat(logprobs=True)
read = client.embeddings.create(model=f"{model}-passage", input=texts)
print(
    json.dumps(
        {
            "versions": {"python": platform.python_version(), "openai": openai.__version__},
            "models": [each.id for each in client.models.list()],
            "retrieved": client.models.retrieve(model).id,
            "embeddings": [each.embedding for each in read.data],
            "floats": client.embeddings.create(
                model=f"{model}-query", input=question, encoding_format="float"
            ).data[0].embedding,
            "read": read.usage.prompt_tokens,
            "answer": {
                "text": whole.choices[0].message.content,
                "finish": whole.choices[0].finish_reason,
                "prompt": whole.usage.prompt_tokens,
                "written": whole.usage.completion_tokens,
                "logprob": sum(each.logprob for each in whole.choices[0].logprobs.content),
                "sources": [source["id"] for source in whole.model_extra["tandem"]["sources"]],
            },
            "streamed": streamed(),
            "together": asyncio.run(together()),
            "errors": {
                "a wrong key": raised(lambda: client_with("another").models.list()),
                "a model that is not there": raised(lambda: chat(model="gpt-9")),
                "a temperature": raised(lambda: chat(temperature=1)),
                "too many texts": raised(lambda: client.embeddings.create(model=model, input=["x"] * 2049)),
                "too long a body": raised(lambda: client.embeddings.create(model=model, input="x" * 2_000_000)),
            },
        }
    )
)
