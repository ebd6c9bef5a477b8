import { consumers, describeValue, type Graph, type Node } from "@tandem/onnx"
import { InvalidLora } from "../Errors.ts"
import { type LinearSite, linearSites, type WeightPart } from "./linearSites.ts"

/** Modules by name: a list of names or ends of names, a regular expression for whole names, or `all-linear`. */
export type Targets = string | readonly string[]

/** A weight that takes an adapter, at one product that reads it. */
export interface TargetedPart {
  readonly site: LinearSite
  readonly part: WeightPart
  readonly weight: string
  readonly module: string
}

/** A module whose weight stands in a larger one, as where an exporter joined query, key and value. */
export interface ModuleBlock {
  readonly module: string
  /** The axis of the larger weight along which such blocks stand side by side; it must be that of its outputs. */
  readonly axis: 0 | 1
  /** Place of the first of the module's outputs along it. */
  readonly start: number
  readonly outputs: number
}

/** The module of a weight, or those of its blocks, by the weight's name. */
export type Modules = ReadonlyMap<string, string | readonly ModuleBlock[]>

export interface TargetSettings {
  readonly targets: Targets
  readonly exclude?: Targets
  readonly modules?: Modules
}

/** The targeted weights at every product that reads them, in the order of the graph. */
export const targetedParts = (graph: Graph, settings: TargetSettings): readonly TargetedPart[] => {
  const { targets, exclude = [], modules } = settings
  const all = targets === "all-linear"
  const wanted = matcher(targets, "targets")
  const unwanted = matcher(exclude, "exclude")
  const matches = (module: string): boolean => (all || wanted(module)) && !unwanted(module)
  const { sites, candidates } = targetCandidates(graph, modules)
  const elsewhere = readElsewhere(graph, sites)
  const chosen = candidates.filter(
    ({ module, weight }) => matches(module) && !(all && (elsewhere(weight) || isData(graph, weight))),
  )
  const modulesByName = new Map<string, string>()
  for (const { weight, module } of chosen) {
    const other = modulesByName.get(module) ?? weight
    if (other === weight) modulesByName.set(module, weight)
    else {
      throw new InvalidLora({
        message: `the weights ${other} and ${weight} both look like ${module}`,
        tensor: weight,
        hint: "name the module of each weight",
      })
    }
  }
  const linear = new Set(candidates.map(({ weight }) => weight))
  const refused = all
    ? undefined
    : matrices(graph).find((name) =>
        linear.has(name)
          ? elsewhere(name) && chosen.some(({ weight }) => weight === name)
          : modulesOf(name, modules).some(matches),
      )
  if (refused !== undefined) {
    throw new InvalidLora({
      message: `${refused} is targeted, but not only matrix products read it, so it can take no adapter`,
      tensor: refused,
      expected: "a weight of linear layers alone",
      hint: "an embedding, and an output layer that is tied to one, cannot be targeted",
    })
  }
  if (chosen.length === 0) {
    const known = [...new Set(candidates.map(({ module }) => module))]
    throw new InvalidLora({
      message: `no linear layer of graph ${graph.name} is targeted`,
      expected: String(targets),
      found: known.length === 0 ? "no linear layer" : `${known.slice(0, 8).join(", ")}${known.length > 8 ? ", …" : ""}`,
    })
  }
  return chosen
}

/** The modules of all weights that matrix products read, in the order of the graph: what adapters can be put on. */
export const linearModules = (graph: Graph, modules?: Modules): readonly string[] => [
  ...new Set(targetCandidates(graph, modules).candidates.map(({ module }) => module)),
]

const targetCandidates = (graph: Graph, modules: Modules | undefined) => {
  const sites = linearSites(graph).map((site) => ({
    ...site,
    parts: site.parts.flatMap((part) => inBlocks(part, modules)),
  }))
  const candidates = sites.flatMap((site) =>
    site.parts.flatMap((part): readonly TargetedPart[] => {
      const { weight, block } = part
      if (weight === undefined) return []
      return [{ site, part, weight, module: block?.module ?? moduleOf(weight, site.node, modules) }]
    }),
  )
  return { sites, candidates }
}

/** A part as the modules' blocks that it consists of, with what is no module's between them. */
const inBlocks = (part: WeightPart, modules: Modules | undefined): readonly WeightPart[] => {
  const blocks = modules?.get(part.weight ?? "")
  if (blocks === undefined || typeof blocks === "string") return [part]
  const parts: WeightPart[] = []
  let end = 0
  const gap = (until: number): void => {
    if (until > end) parts.push({ ...part, weight: undefined, outputs: until - end })
  }
  for (const { module, axis, start, outputs } of [...blocks].sort((a, b) => a.start - b.start)) {
    if (start < end || start + outputs > part.outputs || axis !== (part.outputFirst ? 0 : 1)) {
      throw new InvalidLora({
        message: `${module} is no block of the outputs of ${part.weight}`,
        tensor: part.weight ?? "",
        expected: `outputs ${end} to ${part.outputs} along axis ${part.outputFirst ? 0 : 1}`,
        found: `${outputs} from ${start} along axis ${axis}`,
      })
    }
    gap(start)
    parts.push({ ...part, outputs, block: { module, start, of: part.outputs } })
    end = start + outputs
  }
  gap(part.outputs)
  return parts
}

const matcher = (targets: Targets, field: string): ((module: string) => boolean) => {
  if (typeof targets !== "string") {
    return (module) =>
      targets.some((name) => module === name || module.endsWith(`.${name}`) || module.endsWith(`/${name}`))
  }
  try {
    const pattern = new RegExp(`^(?:${targets})$`)
    return (module) => pattern.test(module)
  } catch {
    throw new InvalidLora({ message: `${targets} is no regular expression`, field, found: targets })
  }
}

/**
 * The module that a weight belongs to: its name without what exporters and quantisers put after it; or, where an
 * exporter thought the name up, the path of the node that reads it, which names the module.
 */
const moduleOf = (weight: string, node: Node | undefined, modules: Modules | undefined): string => {
  const named = modules?.get(weight)
  if (typeof named === "string") return named
  if (/^(onnx::|[^./]*$)/.test(weight)) {
    const path = pathOf(node?.name ?? "")
    if (path !== "") return path
  }
  return pathOf(weight) || weight.replace(/(\.MatMul)?(\.weight)?((\.|_)(transposed|quantized|quant|Q\d+\w*))?$/, "")
}

/** `/encoder/layer.0/attention/self/query/MatMul` names the module before its last part, `""` what is no such path. */
const pathOf = (name: string): string => {
  if (!name.startsWith("/")) return ""
  const steps = name.slice(1).split("/")
  const product = steps.findIndex((step) => /^(MatMul|Gemm)/.test(step))
  return steps.slice(0, product < 0 ? -1 : product).join(".")
}

const modulesOf = (weight: string, modules: Modules | undefined): readonly string[] => {
  const named = modules?.get(weight)
  return named === undefined || typeof named === "string"
    ? [moduleOf(weight, undefined, modules)]
    : named.map(({ module }) => module)
}

/** Values of every batch are no weights, though they may be matrices. */
const isData = (graph: Graph, name: string): boolean =>
  !graph.initializers.has(name) && graph.inputs.some((input) => input.name === name) && !name.includes(".")

const matrices = (graph: Graph): readonly string[] =>
  [...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)].filter((name) => {
    const { type, dims } = describeValue(graph, name)
    return dims?.length === 2 && (type === "float32" || type === "float16" || type === "bfloat16")
  })

/** Operators that hand a weight on to a product. */
const passing = new Set(["Identity", "Cast", "Transpose", "Reshape", "Mul", "Concat", "DequantizeLinear"])

/** Tells whether something else than the products of `sites` reads a weight. */
const readElsewhere = (graph: Graph, sites: readonly LinearSite[]): ((weight: string) => boolean) => {
  const readers = consumers(graph)
  const products = new Map(sites.map((site) => [site.node, site]))
  const elsewhere = (name: string, weight: string): boolean =>
    (readers.get(name) ?? []).some((node) => {
      const site = products.get(node)
      if (site !== undefined) return node.inputs[0] === name || !site.parts.some((part) => part.weight === weight)
      return node.domain !== "" || !passing.has(node.op) || node.outputs.some((output) => elsewhere(output, weight))
    })
  return (weight) => elsewhere(weight, weight)
}
