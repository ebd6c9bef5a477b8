import { type LoraAdapter, type LoraSettings, linearModules, type ModuleBlock, type Modules } from "@tandem/autodiff"
import type { Float32Tensor, Graph, Tensor } from "@tandem/onnx"
import { InvalidAdapter } from "../Errors.ts"
import { matchParameters } from "../exported/MatchParameters.ts"
import { toFloat32 } from "../Floats.ts"
import type { PeftConfig } from "./PeftConfig.ts"

/** Trained adapters and their settings, as PEFT keeps them in a folder. */
export interface PeftAdapter {
  readonly config: PeftConfig
  /** A `[rank, in]` and B `[out, rank]` by module, named as in the model that PEFT adapted. */
  readonly modules: ReadonlyMap<string, { readonly a: Float32Tensor; readonly b: Float32Tensor }>
}

/** Adapters on a graph: what `addLora` takes, and the values of the inputs that it adds. */
export interface AttachedAdapter {
  readonly settings: LoraSettings
  readonly values: ReadonlyMap<string, Float32Tensor>
}

const prefix = "base_model.model."

/**
 * Adapters out of the tensors of an `adapter_model.safetensors`, as `float32`. Tensors of other kinds than `lora_A` and
 * `lora_B`, halves that lack the other half, and shapes that contradict the rank end in `InvalidAdapter`.
 */
export const readPeftAdapter = (
  config: PeftConfig,
  tensors: ReadonlyMap<string, Tensor>,
  file = "adapter_model.safetensors",
): PeftAdapter => {
  const halves = new Map<string, { a?: Float32Tensor; b?: Float32Tensor }>()
  for (const [name, tensor] of tensors) {
    const [, module, half] = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(name) ?? []
    if (module === undefined || tensor.dims.length !== 2 || tensor.dims[half === "A" ? 0 : 1] !== config.rank) {
      const expected =
        module === undefined
          ? `${prefix}MODULE.lora_A.weight or ${prefix}MODULE.lora_B.weight`
          : half === "A"
            ? `[${config.rank}, in]`
            : `[out, ${config.rank}]`
      throw new InvalidAdapter({
        message: `tensor ${name} is no half of a LoRA adapter of rank ${config.rank}`,
        file,
        tensor: name,
        expected,
        found: `[${tensor.dims}]`,
      })
    }
    const entry = halves.get(module) ?? {}
    halves.set(module, { ...entry, [half === "A" ? "a" : "b"]: toFloat32(tensor, name) })
  }
  const modules = [...halves].map(([module, { a, b }]) => {
    if (a !== undefined && b !== undefined) return [module, { a, b }] as const
    throw new InvalidAdapter({ message: `the adapter of ${module} lacks one of its halves`, file, tensor: module })
  })
  if (modules.length === 0) throw new InvalidAdapter({ message: "the file holds no adapters", file })
  return { config, modules: new Map(modules) }
}

/** The tensors of an `adapter_model.safetensors`, under PEFT's names. */
export const peftTensors = ({ modules }: PeftAdapter): Map<string, Tensor> =>
  new Map(
    [...modules].flatMap(([module, { a, b }]) => [
      [`${prefix}${module}.lora_A.weight`, a] as const,
      [`${prefix}${module}.lora_B.weight`, b] as const,
    ]),
  )

/** What of adapters a graph does not know. */
export interface PeftDescription {
  readonly taskType?: string
  readonly baseModel?: string
  /** What stands before the module names in the model that PEFT is going to load, such as `bert.`; nothing by default. */
  readonly modulePrefix?: string
  /** Whether that model stores the adapted weights as `[in, out]` (GPT-2's `Conv1D`). */
  readonly fanInFanOut?: boolean
}

/** Trained adapters of a graph (see `addLora`) in PEFT's form. `values` are A and B by the names of the graph's inputs. */
export const toPeftAdapter = (
  settings: LoraSettings,
  adapters: readonly LoraAdapter[],
  values: ReadonlyMap<string, Tensor>,
  { taskType, baseModel, modulePrefix = "", fanInFanOut = false }: PeftDescription = {},
): PeftAdapter => {
  const find = (name: string, dims: readonly number[]): Float32Tensor => {
    const value = values.get(name)
    if (value !== undefined && `${value.dims}` === `${dims}`) return toFloat32(value, name)
    throw new InvalidAdapter({
      message: `there is no ${name} of the adapters' shape`,
      tensor: name,
      expected: `[${dims}]`,
      found: value === undefined ? "nothing" : `[${value.dims}]`,
    })
  }
  const modules = adapters.map(
    ({ module, a, b, rank, inputs, outputs }) =>
      [modulePrefix + module, { a: find(a, [rank, inputs]), b: find(b, [outputs, rank]) }] as const,
  )
  return {
    config: {
      rank: settings.rank,
      alpha: settings.alpha,
      dropout: settings.dropout ?? 0,
      useRslora: settings.useRslora ?? false,
      // Whole names, so that PEFT adapts exactly these modules whatever else the model has
      targetModules: modules.map(([module]) => module),
      fanInFanOut,
      taskType,
      baseModel,
    },
    modules: new Map(modules),
  }
}

/**
 * Puts adapters that PEFT wrote onto a graph: the settings for `addLora`, with the modules' names as the graph has them,
 * and the adapters' values under the names of the inputs that it then has. What a task's head put before the module
 * names (`bert.`, `model.`) is added or left out as the graph needs it.
 *
 * A graph of an exporter that renamed its weights does not tell its modules: give `modules`, for example by
 * `modulesByValue` from the model's safetensors. A module that the graph lacks, or has with other dimensions, ends in
 * `InvalidAdapter`: nothing is left out in silence.
 */
export const attachPeftAdapter = (adapter: PeftAdapter, graph: Graph, modules?: Modules): AttachedAdapter => {
  const known = linearModules(graph, modules)
  const rename = renaming([...adapter.modules.keys()], new Set(known))
  const values = new Map<string, Float32Tensor>()
  for (const [module, { a, b }] of adapter.modules) {
    values.set(`${rename(module)}.lora_A.weight`, a)
    values.set(`${rename(module)}.lora_B.weight`, b)
  }
  const { rank, alpha, dropout, useRslora } = adapter.config
  const targets = [...adapter.modules.keys()].map(rename)
  return {
    settings: { rank, alpha, dropout, useRslora, targets, ...(modules === undefined ? {} : { modules }) },
    values,
  }
}

/** From the adapters' module names to the graph's: one prefix more or less for all, or an error that says what is missing. */
const renaming = (names: readonly string[], known: ReadonlySet<string>): ((name: string) => string) => {
  const [first = ""] = names
  const candidates: ((name: string) => string)[] = [(name) => name]
  for (const module of known) {
    if (first.endsWith(`.${module}`)) {
      const extra = first.slice(0, -module.length)
      candidates.push((name) => (name.startsWith(extra) ? name.slice(extra.length) : name))
    }
    if (module.endsWith(`.${first}`)) {
      const extra = module.slice(0, -first.length)
      candidates.push((name) => extra + name)
    }
  }
  const found = candidates.find((rename) => names.every((name) => known.has(rename(name))))
  if (found !== undefined) return found
  const missing = names.find((name) => !known.has(name)) ?? first
  const shown = [...known].slice(0, 6).join(", ")
  throw new InvalidAdapter({
    message: `the adapter changes ${missing}, but the model has no linear layer of that name`,
    tensor: missing,
    expected: missing,
    found: known.size === 0 ? "no linear layer" : `${shown}${known.size > 6 ? ", …" : ""}`,
    hint: "where an exporter renamed the weights, the model's safetensors tell which is which",
  })
}

/**
 * Modules of an exported model's weights by their values: for each initializer that holds the values of `NAME.weight`
 * of a checkpoint, or their transpose, `NAME`; for one that holds several side by side, as fused attention does, each
 * with its place.
 */
export const modulesByValue = (
  initializers: ReadonlyMap<string, Tensor>,
  checkpoint: ReadonlyMap<string, Tensor>,
): Modules => {
  const weights = new Map([...checkpoint].filter(([name, { dims }]) => name.endsWith(".weight") && dims.length === 2))
  const { matched } = matchParameters(initializers, weights, new Map())
  const modules = new Map<string, string>()
  const blocks = new Map<string, ModuleBlock[]>()
  for (const { parameter, partners } of matched) {
    const module = parameter.replace(/\.weight$/, "")
    for (const { name, transposed, from, to, scale = 1, offset = 0 } of partners) {
      if (to !== undefined || scale !== 1 || offset !== 0) continue
      if (from === undefined) {
        if (!modules.has(name)) modules.set(name, module)
        continue
      }
      const dims = weights.get(parameter)!.dims
      const [rows = 0, columns = 0] = transposed ? [...dims].reverse() : dims
      const axis = initializers.get(name)?.dims[1] === columns ? 0 : 1
      const place = axis === 0 ? { start: from.row, outputs: rows } : { start: from.column, outputs: columns }
      blocks.set(name, [...(blocks.get(name) ?? []), { module, axis, ...place }])
    }
  }
  return new Map<string, string | readonly ModuleBlock[]>([...blocks, ...modules])
}
