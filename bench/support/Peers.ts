// The Python environments of the peers, which `npm run bench:peers` sets up; $TANDEM_PEERS names another folder.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { root } from "../../scripts/support/Workspace.ts"

/**
 * `torch`: PyTorch, transformers, PEFT and sentence-transformers. `onnx`: sentence-transformers with its ONNX backend,
 * which needs older versions of both.
 */
export type Environment = "torch" | "onnx"

const suffix: Readonly<Record<Environment, string>> = { torch: "", onnx: "-onnx" }

/** The Python of an environment; undefined where it is not set up. */
export const peersPython = (environment: Environment): string | undefined =>
  [process.env["TANDEM_PEERS"], join(root, "bench/peers/.venv")]
    .flatMap((folder) => (folder === undefined ? [] : [join(`${folder}${suffix[environment]}`, "bin/python")]))
    .find((file) => existsSync(file))
