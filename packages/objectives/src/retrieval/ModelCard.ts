import type { DataStatistics } from "@tandem/datasets"
import type { Encoder, Pooling } from "@tandem/models"
import type { Side } from "@tandem/retriever"
import type { Metrics, Systems } from "@tandem/runs"
import type { RetrievalSettings } from "./RetrievalSettings.ts"

/** What a model was before it was trained: one on the hub, one of a folder, or random weights. */
export type BaseModel =
  | { readonly kind: "hub"; readonly id: string }
  | { readonly kind: "folder"; readonly name: string }
  | { readonly kind: "random" }

/** What a run knows about a model that it saves. */
export interface CardFacts {
  readonly base: BaseModel
  readonly encoder: Encoder
  /** What it encodes. */
  readonly sides: readonly Side[]
  readonly retrieval: RetrievalSettings
  /** The step whose weights are saved. */
  readonly step: number
  readonly train: DataStatistics
  /** Figures before and after training; absent where nothing was measured. */
  readonly systems: Systems | undefined
}

/** What transformers.js calls a way of pooling; absent where it has no name for it. */
const poolingNames: Readonly<Record<Pooling["mode"], string | undefined>> = {
  mean: "mean",
  cls: "cls",
  last: "last_token",
  max: undefined,
}

/**
 * The README.md of a saved encoder: front matter as the Hugging Face hub and sentence-transformers read it, what the model
 * was trained from and on, figures, and how it is loaded.
 */
export const modelCard = (facts: CardFacts): string => {
  const { base, encoder, sides, retrieval, step, train, systems } = facts
  const texts = sides.map((side) => ({ query: "questions", passage: "passages" })[side]).join(" and ")
  return [
    frontMatter(base),
    `# A dense retriever's encoder of ${texts}`,
    `Trained with Tandem from ${described(base)} in ${step} steps.`,
    ...(sides.length === 1
      ? [
          `It was trained beside another encoder, which reads the ${sides[0] === "query" ? "passages" : "questions"}: the two belong together.`,
        ]
      : []),
    table([
      ["embeddings are compared by", retrieval.similarity === "cosine" ? "cosine" : "inner product"],
      ...sides.map(
        (side): Row => [`longest ${side === "query" ? "question" : "passage"}`, `${retrieval.maxLength[side]} tokens`],
      ),
      ...sides.flatMap((side): readonly Row[] => {
        const prompt = encoder.prompts[side]
        return prompt === "" ? [] : [[`before a ${side === "query" ? "question" : "passage"} stands`, code(prompt)]]
      }),
    ]),
    "## Training data",
    table([
      ["questions", `${train.examples}`],
      ["with hard negatives", `${train.withNegatives}`],
      ["passages", `${train.passages}`],
    ]),
    ...(systems === undefined ? [] : figures(systems)),
    "## Use",
    ...inTransformersJs(encoder, retrieval),
    ...inSentenceTransformers(encoder, sides, retrieval),
    "",
  ].join("\n\n")
}

type Row = readonly [string, string]

const table = (rows: readonly Row[]): string =>
  ["| | |", "| --- | --- |", ...rows.map((cells) => `| ${cells.join(" | ")} |`)].join("\n")

const code = (text: string): string => `\`${text.replaceAll("`", "'").replaceAll("|", "\\|")}\``

const frontMatter = (base: BaseModel): string =>
  [
    "---",
    "library_name: sentence-transformers",
    "pipeline_tag: sentence-similarity",
    "tags:",
    ...["sentence-transformers", "transformers.js", "feature-extraction", "sentence-similarity", "onnx"].map(
      (tag) => `- ${tag}`,
    ),
    ...(base.kind === "hub" ? [`base_model: ${base.id}`] : []),
    "---",
  ].join("\n")

const described = (base: BaseModel): string => {
  switch (base.kind) {
    case "hub":
      return `[${base.id}](https://huggingface.co/${base.id})`
    case "folder":
      return `the model ${code(base.name)}`
    case "random":
      return "random weights"
  }
}

const figures = ({ before, after, baselines, variants = {} }: Systems): readonly string[] => {
  const columns: readonly (readonly [string, Metrics])[] = [
    ...(after === undefined ? [] : ([["after", after.metrics]] as const)),
    ["before", before.metrics],
    ...Object.entries(baselines).map(([name, { metrics }]) => [name === "bm25" ? "BM25" : name, metrics] as const),
    ...Object.entries(variants).map(([name, metrics]) => [`after, ${name}`, metrics] as const),
  ]
  const names = Object.keys(before.metrics).filter((name) => name !== "n")
  const head = ["", ...columns.map(([name]) => name)]
  const rows = names.map((name) => [name, ...columns.map(([, metrics]) => metrics[name]?.toFixed(3) ?? "–")])
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`)
  return [
    `## Figures\n\nOn ${before.metrics["n"] ?? "the"} evaluation questions:`,
    lines.join("\n"),
    ...(variants["q8"] === undefined
      ? []
      : ['q8 is the model with weights of 8 bits (`dtype: "q8"` of transformers.js).']),
  ]
}

const inTransformersJs = ({ pooling }: Encoder, { similarity }: RetrievalSettings): readonly string[] => {
  const name = poolingNames[pooling.mode]
  if (name === undefined) return []
  const options = `{ pooling: "${name}", normalize: ${pooling.normalize || similarity === "cosine"} }`
  return [
    [
      "```js",
      'import { pipeline } from "@huggingface/transformers"',
      "",
      'const extract = await pipeline("feature-extraction", "path/to/this/folder", { dtype: "fp32" })',
      `const embeddings = await extract(["a text"], ${options})`,
      "```",
    ].join("\n"),
  ]
}

const inSentenceTransformers = (
  { source, prompts }: Encoder,
  sides: readonly Side[],
  { similarity }: RetrievalSettings,
): readonly string[] => {
  const backend = source.kind === "onnx" ? ', backend="onnx"' : ""
  const names = { query: "question", passage: "passage" }
  const encode = sides.map((side) => {
    const prompt = prompts[side] === "" ? "" : `, prompt=${JSON.stringify(prompts[side])}`
    return `${names[side]} = model.encode("a ${names[side]}"${prompt}${similarity === "cosine" ? ", normalize_embeddings=True" : ""})`
  })
  return [
    [
      "```python",
      "from sentence_transformers import SentenceTransformer",
      "",
      `model = SentenceTransformer("path/to/this/folder"${backend})`,
      ...encode,
      "```",
    ].join("\n"),
  ]
}
