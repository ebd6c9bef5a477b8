"""sentence-transformers on PyTorch or its ONNX backend: the texts of bench/sides/corpus-encoding.ts."""
import json
import os
import subprocess
import sys
import tempfile

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer

from side import answer_with_texts

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
versions = {"transformers": transformers.__version__, "sentence-transformers": sentence_transformers.__version__}


def export(folder):
    """The peer's own export, quantised by it for this processor where that is wanted."""
    from sentence_transformers.backend import export_dynamic_quantized_onnx_model

    options = {"provider": "CPUExecutionProvider", "export": True}
    model = SentenceTransformer(settings["peerModel"], backend="onnx", model_kwargs=options, device="cpu")
    model.save_pretrained(folder)
    if settings["precision"] == "q8":
        export_dynamic_quantized_onnx_model(model, "avx512_vnni", folder)


def onnx_model():
    """Exported in a process of its own, so that its memory is not counted."""
    import onnxruntime

    versions["onnxruntime"] = onnxruntime.__version__
    session = onnxruntime.SessionOptions()
    session.intra_op_num_threads = settings["threads"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, sys.argv[1], folder], check=True, stdout=subprocess.DEVNULL)
        files = sorted(os.listdir(f"{folder}/onnx"))
        name = next(name for name in files if ("qint8" in name) == (settings["precision"] == "q8"))
        options = {"provider": "CPUExecutionProvider", "session_options": session, "file_name": f"onnx/{name}"}
        return SentenceTransformer(folder, backend="onnx", model_kwargs=options, device="cpu")


if len(sys.argv) > 2:
    export(sys.argv[2])
    sys.exit()
if settings["backend"] == "onnx":
    model = onnx_model()
else:
    versions["torch"] = torch.__version__
    model = SentenceTransformer(settings["peerModel"], device="cpu")
model.max_seq_length = settings["maxLength"]


def encode(texts):
    return model.encode(texts, batch_size=settings["batchSize"], show_progress_bar=False)


answer_with_texts(settings, encode, lambda vectors: vectors[: settings["compared"]].flatten().tolist(), **versions)
