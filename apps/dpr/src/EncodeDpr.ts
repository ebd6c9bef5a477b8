import { existsSync, readdirSync, statSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { UnwritableFileError } from "@tandem/datasets"
import { replaceFolder } from "@tandem/files/node/ReplaceFolder"
import { encodingOf } from "@tandem/objectives"
import { readPassages } from "@tandem/objectives/node/Corpus"
import { float32 } from "@tandem/onnx"
import { type EncoderInput, encodeAll, type Side } from "@tandem/retriever"
import { type Observe, progressTo, type RunOptions, SettingsError } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { writeSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { knownFormat } from "./DprData.ts"
import { type EncodingSource, openEncoders } from "./OpenEncoders.ts"

/** What `encodeDpr` is told. */
export type EncodeDprSettings = EncodingSource & {
  /** Passages of a corpus file, or questions. */
  readonly texts:
    | { readonly kind: "passage"; readonly corpus: string; readonly format?: string }
    | { readonly kind: "query"; readonly questions: readonly string[] }
  /** The folder for the embeddings: a new or empty one, or one of earlier embeddings, which are replaced. */
  readonly out: string
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** What was encoded. */
export interface DprEmbeddings {
  readonly texts: number
  readonly dimension: number
  /** Texts that were longer than the maximum length and were cut. */
  readonly truncated: number
}

/**
 * Encodes texts and writes `embeddings.safetensors`, which holds `embeddings` `[texts, dimension]` f32, and `ids.json`, the
 * passages' ids or the questions in the order of its rows. Vectors are as search compares them: by inner product.
 */
export const encodeDpr = Effect.fn("dpr.encode")((settings: EncodeDprSettings, { observe }: RunOptions) => {
  const { texts, out, device, threads } = settings
  return Effect.gen(function* () {
    yield* refuseOtherFiles(out)
    yield* observe({ event: "phase", name: "reading texts" })
    const { kind, ids, inputs } = yield* inputsOf(texts, observe)
    if (inputs.length === 0) {
      return yield* new SettingsError({
        message: "there is nothing to encode",
        field: kind === "query" ? "questions" : "corpus",
        expected: "at least one text",
        found: "none",
      })
    }
    yield* observe({ event: "phase", name: "loading the model" })
    const { towers, retrieval } = yield* openEncoders(settings, () => inputs.map(textOf))
    const progress = progressTo(observe)
    const { vectors, dimension, statistics } = yield* encodeAll(towers[kind], inputs, {
      ...encodingOf(retrieval, kind),
      kind,
      onProgress: (done, total) => progress("encoding texts", done, total),
    })
    const embeddings = float32([inputs.length, dimension], vectors)
    yield* written(out, {
      [files.embeddings]: writeSafetensors(new Map([["embeddings", embeddings]]), { kind }),
      [files.ids]: `${JSON.stringify(ids)}\n`,
    })
    return { texts: inputs.length, dimension, truncated: statistics.truncated } satisfies DprEmbeddings
  }).pipe(Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})

const files = { embeddings: "embeddings.safetensors", ids: "ids.json" }

/** The folder is replaced as a whole, so it may hold nothing else. */
const refuseOtherFiles = (folder: string): Effect.Effect<void, SettingsError> =>
  Effect.suspend(() => {
    const own: readonly string[] = Object.values(files)
    const isFile = existsSync(folder) && !statSync(folder).isDirectory()
    const held = existsSync(folder) && !isFile ? readdirSync(folder) : []
    const other = isFile ? "a file of that name" : held.find((name) => !own.includes(name))
    if (other === undefined) return Effect.void
    return Effect.fail(
      new SettingsError({
        message: isFile ? `${folder} is no folder` : `${folder} holds other files than embeddings`,
        file: folder,
        field: "out",
        expected: "a new folder",
        found: other,
        hint: "choose another folder",
      }),
    )
  })

interface Inputs {
  readonly kind: Side
  readonly ids: readonly string[]
  readonly inputs: readonly EncoderInput[]
}

const inputsOf = Effect.fnUntraced(function* (texts: EncodeDprSettings["texts"], observe: Observe) {
  if (texts.kind === "query") {
    return { kind: "query", ids: texts.questions, inputs: texts.questions } satisfies Inputs
  }
  const { corpus, warnings } = yield* readPassages(texts.corpus, yield* knownFormat(texts.format))
  for (const message of warnings) yield* observe({ event: "warning", message })
  const passages = [...corpus.values()]
  return { kind: "passage", ids: passages.map(({ id }) => id), inputs: passages } satisfies Inputs
})

const textOf = (input: EncoderInput): string => (typeof input === "string" ? input : input.text)

const written = (folder: string, contents: Readonly<Record<string, string | Uint8Array>>) =>
  Effect.tryPromise({
    try: () =>
      replaceFolder(folder, async (aside) => {
        for (const [name, content] of Object.entries(contents)) await writeFile(join(aside, name), content)
      }),
    catch: (cause) =>
      new UnwritableFileError({
        message: `the embeddings cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
        file: folder,
      }),
  })
