"""sentence-transformers behind FastAPI and uvicorn, with the interface of OpenAI's embeddings: settings as JSON, the address on standard output."""
import base64
import json
import platform
import socket
import sys

import fastapi
import numpy
import sentence_transformers
import torch
import uvicorn
from pydantic import BaseModel

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
model = sentence_transformers.SentenceTransformer(settings["model"], device="cpu")
model.max_seq_length = settings["maxLength"]
app = fastapi.FastAPI()


class Request(BaseModel):
    model: str
    input: str | list[str]
    encoding_format: str = "float"


# FastAPI runs what is no coroutine in threads of its own, so that requests do not block one another.
@app.post("/v1/embeddings")
def embeddings(request: Request):
    texts = [request.input] if isinstance(request.input, str) else request.input
    vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False).astype(numpy.float32)
    packed = request.encoding_format == "base64"
    return {
        "object": "list",
        "model": request.model,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode() if packed else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    }


versions = {
    "python": platform.python_version(),
    "torch": torch.__version__,
    "sentence-transformers": sentence_transformers.__version__,
    "fastapi": fastapi.__version__,
    "uvicorn": uvicorn.__version__,
}
listening = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"port": listening.getsockname()[1], "versions": versions}), flush=True)
uvicorn.run(app, fd=listening.fileno(), log_level="error", access_log=False)
