import assert from "node:assert/strict"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { Effect } from "effect"
import { decoderTypes } from "../../src/decoder/DecoderConfig.ts"
import type { ModelError } from "../../src/Errors.ts"
import { encoderTypes } from "../../src/encoder/BertTypes.ts"
import { loadDecoder } from "../../src/node/LoadDecoder.ts"
import { loadEncoder } from "../../src/node/LoadEncoder.ts"
import { loadLanguageModel } from "../../src/node/LoadLanguageModel.ts"
import { loadSeq2Seq } from "../../src/node/LoadSeq2Seq.ts"
import { openModelFile } from "../../src/node/OpenModelFile.ts"
import { seq2seqTypes } from "../../src/seq2seq/Seq2SeqConfig.ts"
import { goldenPath } from "../support/Golden.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-types-"))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A model's weights and tokenizer beside a config that names another type, or none. */
const withType = (golden: string, type: string | undefined): string => {
  const directory = join(folder, `${golden.replaceAll("/", "-")}-${type}`)
  cpSync(goldenPath(golden), directory, { recursive: true, filter: (path) => !path.endsWith(".onnx") })
  writeFileSync(join(directory, "vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nriver\n")
  const file = join(directory, "config.json")
  const { model_type: _, ...rest } = JSON.parse(readFileSync(file, "utf8"))
  writeFileSync(file, JSON.stringify(type === undefined ? rest : { model_type: type, ...rest }))
  return directory
}

type Load = (directory: string) => Effect.Effect<unknown, ModelError>

const loaders: readonly (readonly [what: string, load: Load, golden: string, tag: string, types: readonly string[]])[] =
  [
    ["loadEncoder", loadEncoder, "bert-tiny", "UnsupportedEncoder", encoderTypes],
    ["loadDecoder", loadDecoder, "decoders/llama", "UnsupportedArchitecture", decoderTypes],
    ["loadSeq2Seq", loadSeq2Seq, "seq2seq/t5", "UnsupportedArchitecture", seq2seqTypes],
    ["loadLanguageModel", loadLanguageModel, "decoders/llama", "UnsupportedArchitecture", decoderTypes],
    ["loadLanguageModel", loadLanguageModel, "seq2seq/t5", "UnsupportedArchitecture", seq2seqTypes],
    ["openModelFile", openModelFile, "decoders/llama", "UnsupportedArchitecture", [...encoderTypes, ...decoderTypes]],
    ["openModelFile", openModelFile, "seq2seq/t5", "UnsupportedArchitecture", [...encoderTypes, ...decoderTypes]],
  ]

for (const [what, load, golden, tag, types] of loaders) {
  // The last two are names that every JavaScript object has, and one that begins like a known type.
  for (const type of ["mamba", undefined, "constructor", "llama4"]) {
    test(`${what}: ${golden} that says ${type} is refused, not taken for a type that is known`, async () => {
      const directory = withType(golden, type)
      const error = await Effect.runPromise(Effect.flip(load(directory)))
      assert.equal(error._tag, tag)
      assert.ok("file" in error && "field" in error && "expected" in error && "found" in error)
      assert.deepEqual(
        [error.file, error.field, error.expected, error.found],
        [join(directory, "config.json"), "model_type", types.join(", "), type ?? "nothing"],
      )
    })
  }
}

test("a type of another kind is refused by each loader", async () => {
  const pairs: readonly (readonly [load: Load, golden: string])[] = [
    [loadEncoder, "decoders/llama"],
    [loadDecoder, "bert-tiny"],
    [loadSeq2Seq, "decoders/llama"],
  ]
  for (const [load, golden] of pairs) {
    const directory = withType(golden, JSON.parse(readFileSync(goldenPath(`${golden}/config.json`), "utf8")).model_type)
    const error = await Effect.runPromise(Effect.flip(load(directory)))
    assert.ok("field" in error && error.field === "model_type", `${golden}: ${error.message}`)
  }
})
