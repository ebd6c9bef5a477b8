"""exports/*/optimum*.onnx: the checkpoints that `exports.py --checkpoints FOLDER` kept, as optimum exports them.

    python exports_optimum.py FOLDER        # with requirements-optimum.txt, an environment of its own
"""

import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from optimum.exporters.onnx import main_export
from safetensors.numpy import load_file

from shared import HERE, strip

warnings.filterwarnings("ignore")
FEATURES, DECODER, BOTH = "feature-extraction", "text-generation-with-past", "text2text-generation-with-past"
WANTED = {
    "bert": (FEATURES, {"model": "optimum"}),
    "roberta": (FEATURES, {"model": "optimum"}),
    "gpt2": (DECODER, {"model": "optimum"}),
    "llama": (DECODER, {"model": "optimum"}),
    "t5": (BOTH, {"encoder_model": "optimum-encoder", "decoder_model": "optimum-decoder", "decoder_model_merged": "optimum-decoder-merged"}),
}


def difference(path: Path) -> float:
    own = path.with_name(path.name.replace("-merged", "")).with_suffix(".safetensors")
    reference = load_file(own if own.exists() else path.with_name("reference.safetensors"))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {value.name: reference[f"in.{value.name}"] for value in session.get_inputs()}
    return float(np.abs(session.run(None, feeds)[0] - reference["out"]).max())


for name, (task, files) in WANTED.items():
    with tempfile.TemporaryDirectory() as folder:
        main_export(str(Path(sys.argv[1]) / name), output=folder, task=task, opset=17, do_validation=False, device="cpu")
        for made, kept in files.items():
            path = HERE / "exports" / name / f"{kept}.onnx"
            shutil.copyfile(Path(folder) / f"{made}.onnx", path)
            strip(path)
            error = difference(path)
            print(f"{name}/{path.name}: {path.stat().st_size} bytes, max |ONNX Runtime - torch| = {error:.1e}", flush=True)
            assert error <= 2e-5, path
