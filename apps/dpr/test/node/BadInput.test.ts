import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { type Attributes, float32, ints, readModel, writeModel } from "@tandem/onnx"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
import { assertError, assertNothingWritten, type Expected } from "../support/AssertError.ts"
import { writeLines, writeOwn } from "../support/FewExamples.ts"
import { golden, scratchFolder, tandem } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const model = golden("sentence-transformers-tiny")
const good = { data, corpus, model }

let runs = 0

/** `tandem dpr train --json` of one step with other files than good ones, or with further flags. */
const train = async (files: Partial<typeof good>, ...flags: readonly string[]) => {
  const run = join(scratch, `run-${runs++}`)
  const used = Object.entries({ ...good, ...files }).flatMap(([name, value]) => [`--${name}`, value])
  const ended = await tandem([
    ...["dpr", "train", "--json", "--threads", "1", "--batch-size", "3", "--max-steps", "1", "--out", run],
    ...used,
    ...flags,
  ])
  return { run, ended }
}

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(scratch, name)
  writeFileSync(path, content)
  return path
}

const row = { id: "q", query: "Where is the tower?", positives: ["tower-1"] }
const lines = (name: string, ...rows: readonly unknown[]): string => writeLines(join(scratch, name), rows)

const badData: readonly (readonly [string, string, Expected])[] = [
  ["an empty file", file("empty.jsonl", ""), { tag: "EmptyFile", code: 3 }],
  ["a file that is not there", join(scratch, "nowhere.json"), { tag: "UnreadableFile", code: 3 }],
  ["cut-off JSON", file("cut.json", '{"data": [{"title": "a", "paragraphs": ['), { tag: "TruncatedJson", code: 3 }],
  [
    "a cut-off line",
    file("cut.jsonl", `${JSON.stringify(row)}\n{"query": "Where is t`),
    { tag: "TruncatedJson", code: 3, line: 2 },
  ],
  ["a wrong format", file("prose.txt", "Once upon a time\nthere was a tower.\n"), { tag: "UnknownFormat", code: 3 }],
  [
    "a wrong type",
    lines("type.jsonl", row, { ...row, query: 3 }),
    { tag: "InvalidRow", code: 3, line: 2, field: "query" },
  ],
  [
    "no row with a positive",
    lines("none.jsonl", { ...row, positives: [] }, { ...row, positives: [] }),
    { tag: "NoExamples", code: 3, field: "positives", message: /none of 2 rows/ },
  ],
  [
    "a passage that the corpus lacks",
    lines("unknown.jsonl", row, { ...row, positives: ["castle-1"] }),
    { tag: "UnknownPassage", code: 3, line: 2, field: "positives", message: /castle-1/, hint: /--corpus/ },
  ],
  [
    "bytes that are not UTF-8",
    file("latin.jsonl", Uint8Array.of(0x7b, 0x22, 0xe9, 0x22)),
    { tag: "InvalidUtf8", code: 3 },
  ],
  ["damaged gzip data", file("cut.jsonl.gz", Uint8Array.of(0x1f, 0x8b, 8, 0, 1, 2)), { tag: "InvalidGzip", code: 3 }],
]

for (const [name, path, expected] of badData) {
  test(`data: ${name}`, async () => {
    const { run, ended } = await train({ data: path })
    assertError(ended, { ...expected, file: path })
    assertNothingWritten(run)
  })
}

/** A copy of the good model to spoil. */
const spoiled = (name: string, spoil: (folder: string) => void): string => {
  const folder = join(scratch, name)
  cpSync(model, folder, { recursive: true })
  spoil(folder)
  return folder
}

const weights = (folder: string): string => join(folder, "model.safetensors")

const withHeader =
  (change: (header: Record<string, { data_offsets: [number, number] }>) => void) =>
  (folder: string): void => {
    const bytes = readFileSync(weights(folder))
    const length = Number(bytes.readBigUInt64LE(0))
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString())
    change(header)
    const text = Buffer.from(JSON.stringify(header))
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(text.length))
    writeFileSync(weights(folder), Buffer.concat([size, text, bytes.subarray(8 + length)]))
  }

const last = "encoder.layer.1.output.dense.weight"

/** An ONNX model in the place of the weights. */
const asOnnx = (name: string, bytes: Uint8Array): string =>
  spoiled(name, (folder) => {
    rmSync(weights(folder))
    mkdirSync(join(folder, "onnx"))
    writeFileSync(join(folder, "onnx/model.onnx"), bytes)
  })

const exported = new Uint8Array(readFileSync(golden("bert-tiny/dynamo.onnx")))

/** The export with an operator behind its embeddings that has no gradient. */
const withOperator = (op: string, attributes: Attributes): Uint8Array => {
  const graph = readModel(exported)
  const output = graph.outputs[0]!
  const inner = "before_the_end"
  return writeModel({
    ...graph,
    nodes: [
      ...graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map((name) => (name === output.name ? inner : name)),
        outputs: node.outputs.map((name) => (name === output.name ? inner : name)),
      })),
      { name: "the_end", op, domain: "", inputs: [inner], outputs: [output.name], attributes },
    ],
    values: new Map([...graph.values, [inner, { ...output, name: inner }]]),
  })
}

const badModels: readonly (readonly [string, string, Expected & { readonly at?: string }])[] = [
  [
    "safetensors with a header longer than the file",
    spoiled("long-header", (folder) => {
      const bytes = readFileSync(weights(folder))
      bytes.writeBigUInt64LE(BigInt(bytes.length), 0)
      writeFileSync(weights(folder), bytes)
    }),
    { tag: "InvalidSafetensors", code: 3, at: "model.safetensors", message: /longer than the file/ },
  ],
  [
    "safetensors whose tensors overlap",
    spoiled(
      "overlap",
      withHeader((header) => {
        const [start, end] = header[last]!.data_offsets
        header[last]!.data_offsets = [start - 4, end - 4]
      }),
    ),
    { tag: "InvalidSafetensors", code: 3, at: "model.safetensors", tensor: last, message: /overlap/ },
  ],
  [
    "safetensors with a tensor out of range",
    spoiled(
      "range",
      withHeader((header) => {
        const [start, end] = header[last]!.data_offsets
        header[last]!.data_offsets = [start + 1e6, end + 1e6]
      }),
    ),
    { tag: "InvalidSafetensors", code: 3, at: "model.safetensors", tensor: last },
  ],
  [
    "safetensors that are cut off",
    spoiled("cut-weights", (folder) =>
      writeFileSync(weights(folder), readFileSync(weights(folder)).subarray(0, 50_000)),
    ),
    { tag: "InvalidSafetensors", code: 3, at: "model.safetensors" },
  ],
  [
    "a folder without a model",
    spoiled("nothing", (folder) => writeFileSync(join(folder, "config.json"), "{")),
    {
      tag: "InvalidEncoder",
      code: 3,
      at: "config.json",
    },
  ],
  [
    "an ONNX file that is cut off",
    asOnnx("cut-onnx", exported.subarray(0, 60_000)),
    {
      tag: "InvalidModel",
      code: 3,
      at: "onnx/model.onnx",
    },
  ],
  [
    "an ONNX file of something else",
    asOnnx("no-onnx", new TextEncoder().encode("not a model")),
    {
      tag: "InvalidModel",
      code: 3,
      at: "onnx/model.onnx",
    },
  ],
]

for (const [name, folder, { at = "", ...expected }] of badModels) {
  test(`model: ${name}`, async () => {
    const { run, ended } = await train({ model: folder })
    assertError(ended, { ...expected, file: join(folder, at) })
    assertNothingWritten(run)
  })
}

test("model: an operator without a gradient", async () => {
  const { run, ended } = await train({
    model: asOnnx("no-gradient", withOperator("LpPool", { kernel_shape: ints([1]) })),
  })
  assertError(ended, { tag: "MissingGradient", code: 3, node: /the_end/, message: /LpPool/ })
  assertNothingWritten(run)
})

test("model: weights of another shape than the configuration says", async () => {
  const folder = spoiled("shape", (at) => {
    const { tensors } = readSafetensors(new Uint8Array(readFileSync(weights(at))))
    writeFileSync(weights(at), writeSafetensors(new Map([...tensors, [last, float32([2, 2], [1, 2, 3, 4])]])))
  })
  const { run, ended } = await train({ model: folder })
  assertError(ended, { tag: "InvalidEncoder", code: 3, file: weights(folder), tensor: last })
  assertNothingWritten(run)
})

test("texts longer than the model has positions for", async () => {
  const { run, ended } = await train({}, "--max-length", "65")
  assertError(ended, { tag: "SequenceTooLong", code: 3, field: "maxLength", message: /65.*64/ })
  assertNothingWritten(run)
})

test("towers of different widths", async () => {
  const run = join(scratch, "widths")
  const models = ["--query-encoder", model, "--passage-encoder", "tiny", "--tiny-hidden", "16", "--tiny-heads", "2"]
  const ended = await tandem(["dpr", "train", "--json", "--data", data, "--corpus", corpus, "--out", run, ...models])
  assertError(ended, { tag: "TowerMismatch", code: 3, message: /32.*16/ })
  assertNothingWritten(run)
})

test("a pattern to freeze that names nothing, and one that names everything", async () => {
  for (const pattern of ["nothing.*", "*"]) {
    const { run, ended } = await train({}, "--freeze", pattern)
    assertError(ended, { tag: "FreezePattern", code: 2, field: "freeze" })
    assertNothingWritten(run)
  }
})

for (const [flags, expected] of [
  [["--lr", "reader=1e-3"], { field: "lr", message: /reader/ }],
  [["--lr", "passage=1e-3"], { field: "lr", message: /passage/ }],
  [["--untied", "--freeze", "passage", "--lr", "passage=1e-3"], { field: "lr", message: /passage.*not trained/ }],
  [
    ["--untied", "--train", "query", "--weight-decay", "0.1,passage=0"],
    { field: "weightDecay", message: /not trained/ },
  ],
  [["--max-length", "generator=32"], { field: "maxLength", message: /generator/ }],
] as const) {
  test(`${flags.join(" ")} names a part that is not there, or does not train`, async () => {
    const { run, ended } = await train({}, ...flags)
    assertError(ended, { tag: "Settings", code: 2, ...expected })
    assertNothingWritten(run)
  })
}

test("--train with a part that no model has", async () => {
  const { run, ended } = await train({}, "--train", "reader")
  assertError(ended, { tag: "FreezePattern", code: 2, field: "train" })
  assertNothingWritten(run)
})

test("a number by part with a wrong value", async () => {
  const { run, ended } = await train({}, "--lr", "1e-3,query=fast")
  assertError(ended, { tag: "InvalidFlag", code: 2, field: "--lr" })
  assertNothingWritten(run)
})
