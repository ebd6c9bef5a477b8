// Writes docs/features.md: which operators have a gradient, on which providers, and which models load, train and
// generate. Everything in it comes from the tables and files of this repository; a test fails when it is stale.
// Usage: node scripts/features.ts
import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { builtinRules, type Rule } from "@tandem/autodiff"
import { inspectModel, type ModelReport } from "@tandem/inspection"
import { decoderTypes, encoderTypes, seq2seqTypes } from "@tandem/models"
import { newestOpset, oldestOpset, readModel } from "@tandem/onnx"
import { decompositions } from "@tandem/onnx/composites/table"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import type { ProviderFacts } from "./measure-providers.ts"
import { listFiles, root } from "./support/Workspace.ts"

export const featuresFile = join(root, "docs/features.md")

const readJson = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"))

interface Operators {
  readonly withoutPath: string
  readonly onnx: string
  readonly "com.microsoft": string
}

/** The whole document. */
export const renderFeatures = async (): Promise<string> => {
  const operators: Operators = readJson("scripts/data/operators.json")
  const facts: ProviderFacts = readJson("scripts/data/providers.json")
  const rows = operatorRows(operators, facts)
  const count = (state: string): number => rows.filter(({ gradient }) => gradient.startsWith(state)).length
  const versions = Object.entries(facts.versions).map(([name, version]) => `${name} ${version}`)
  const gaps = rows.filter(({ gradient }) => gradient === "gap").map(({ operator }) => `\`${operator}\``)
  return `${[
    "# What trains",
    "",
    "Made by `node scripts/features.ts` from the table of gradient rules, the decompositions, the golden exports and a",
    "measurement on each provider; do not edit it. Gaps are listed, too.",
    "",
    "## Models from their weights",
    "",
    "`config.json` with safetensors, by `model_type`. The graph is built here; it is saved as transformers.js lays models out.",
    "",
    table(["`model_type`", "loads", "trains", "generates"], weightRows()),
    "",
    "Any other architecture comes in as ONNX.",
    "",
    "## Models from ONNX",
    "",
    "Exports of tiny random models in `test/golden/exports`: `dynamo` and `script` are torch's two exporters, `optimum` is",
    "Hugging Face's. Loss and every gradient of each are PyTorch's (`test/exports.test.ts`). An export generates where it",
    "puts out logits; with a key-value cache in transformers.js, else by computing all anew.",
    "",
    table(["export", "operator set", "loads", "trains", "generates"], await exportRows()),
    "",
    "## Operators",
    "",
    `${count("rule")} have a gradient rule, ${count("decomposition")} are written in plain operators first, ${count("stop") + count("no path")} have no gradient to have,`,
    `${gaps.length} are gaps: a model with one of them between a weight and an output cannot train that weight, and says so.`,
    "",
    "- **operator sets**: those that `upgrade` reads the operator in; ONNX Runtime's own have none.",
    "- **rule**: a gradient, for the inputs that are not listed behind it, which have none. **decomposition**: written in",
    "  plain operators before anything else looks at it. **stop**: the result has no derivative. **no path**: the result is",
    "  made of integers, truth values or random numbers. **gap**: nobody has written it.",
    `- **CPU, WASM, WebGPU**: the operator and its gradient, run on that provider of ${versions.join(" and ")}`,
    "  (WebGPU: the native one, in lowered form) and compared with finite differences. `CPU` stands where the provider",
    "  left a part to the CPU, `no` where it failed, `?` where it was not measured (`node scripts/measure-providers.ts`).",
    "",
    table(
      ["operator", "operator sets", "gradient", "CPU", "WASM", "WebGPU"],
      rows.map(({ operator, opsets, gradient, providers }) => [`\`${operator}\``, opsets, gradient, ...providers]),
    ),
    "",
    "### The gaps",
    "",
    wrapped(gaps.join(", ")),
  ].join("\n")}\n`
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const wrapped = (text: string): string => text.replace(/(.{1,116}),( |$)/g, "$1,\n").trimEnd()

interface OperatorRow {
  readonly operator: string
  readonly opsets: string
  readonly gradient: string
  readonly providers: readonly string[]
}

const operatorRows = (operators: Operators, facts: ProviderFacts): readonly OperatorRow[] => {
  const since = new Map(
    operators.onnx.split(", ").map((entry) => {
      const [name = "", version = "1"] = entry.split(" ")
      return [name, Number(version)] as const
    }),
  )
  const contrib = operators["com.microsoft"].split(" ").map((name) => `com.microsoft.${name}`)
  const known = [...since.keys(), ...contrib, ...Object.keys(builtinRules), ...Object.keys(decompositions)]
  const withoutPath = new Set(operators.withoutPath.split(" "))
  const domain = (key: string): number => (key.includes(".") ? 1 : 0)
  return [...new Set(known)]
    .toSorted((a, b) => domain(a) - domain(b) || (a < b ? -1 : 1))
    .map((key) => {
      const version = since.get(key)
      const opsets = version === undefined ? "" : `${Math.max(version, oldestOpset)}–${newestOpset}`
      const gradient = gradientOf(key, withoutPath)
      const measured = facts.operators[key]
      const providers = ["cpu", "wasm", "webgpu"].map((provider) => {
        if (gradient.startsWith("decomposition")) return "by its parts"
        if (!gradient.startsWith("rule")) return ""
        const outcome = measured?.[provider]
        return outcome === "runs" ? "yes" : outcome === "cpu" ? "CPU" : outcome === "fails" ? "no" : "?"
      })
      return { operator: key, opsets, gradient, providers }
    })
}

const gradientOf = (key: string, withoutPath: ReadonlySet<string>): string => {
  if (Object.hasOwn(decompositions, key)) return "decomposition"
  const rule = Object.hasOwn(builtinRules, key) ? builtinRules[key]?.at(-1) : undefined
  if (rule !== undefined) return ruleText(rule)
  if (key === "If") return "branch chosen, where its condition is known"
  return withoutPath.has(key) ? "no path" : "gap"
}

const ruleText = (rule: Rule): string => {
  const inputs = Object.entries(rule.inputs)
  const named = (kind: "stop" | "todo") =>
    inputs.flatMap(([name, entry]) => (typeof entry !== "function" && kind in entry ? [name] : []))
  const [stops, todos] = [named("stop"), named("todo")]
  if (stops.length === inputs.length) return "stop"
  const none = stops.length === 0 ? "" : `; none by ${stops.join(", ")}`
  return `rule${none}${todos.length === 0 ? "" : `; gap by ${todos.join(", ")}`}`
}

const weightRows = (): readonly (readonly string[])[] => [
  ...encoderTypes.map((type) => [`\`${type}\``, "yes", "yes", "no: an encoder"]),
  ...decoderTypes.map((type) => [`\`${type}\``, "yes", "yes", "yes"]),
  ...seq2seqTypes.map((type) => [`\`${type}\``, "yes", "yes", "yes"]),
]

const exportRows = async (): Promise<readonly (readonly string[])[]> => {
  const files = listFiles(["test/golden/exports/**/*.onnx"])
  const reports = await Effect.runPromise(
    Effect.provide(
      Effect.forEach(files, (file) =>
        inspectModel(readModel(new Uint8Array(readFileSync(join(root, file))), { file }), { batch: 1, length: 4 }),
      ),
      layer({ threads: 1 }),
    ),
  )
  return files.map((file, index) => {
    const report = reports[index]!
    const name = file.slice("test/golden/exports/".length)
    return [
      `\`${dirname(name)}\` ${name.slice(dirname(name).length + 1, -".onnx".length)}`,
      `${report.opset}`,
      "yes",
      trainsText(report),
      generatesText(report),
    ]
  })
}

const trainsText = ({ gaps, trainable, parameters, weights }: ModelReport): string => {
  if (trainable === 0) return "no"
  if (gaps.length > 0) return `in part: ${gaps.length} gaps`
  if (trainable === parameters) return "yes"
  const reasons = new Set(weights.flatMap(({ reason }) => (reason === undefined ? [] : [reason.split(":")[0] ?? ""])))
  return `yes, but for weights that are ${[...reasons].join(", ")}`
}

const generatesText = ({ inputs, outputs }: ModelReport): string => {
  const named = (values: ModelReport["inputs"], pattern: RegExp): boolean =>
    values.some(({ name }) => pattern.test(name))
  if (!named(outputs, /logits/)) return "no: no logits"
  return named(inputs, /past_key_values/) ? "with its cache" : "without a cache"
}

if (import.meta.main) writeFileSync(featuresFile, await renderFeatures())
