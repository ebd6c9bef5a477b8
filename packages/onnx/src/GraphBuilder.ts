import { InvalidGraph } from "./Errors.ts"
import {
  type Attribute,
  type Attributes,
  type Dims,
  describeValue,
  float,
  type Graph,
  int,
  ints,
  intsAttribute,
  type Node,
  staticDims,
  string,
  type Value,
} from "./Graph.ts"
import type { ValueType } from "./internal/application.ts"
import { inferTypes, moreStatic } from "./internal/infer.ts"
import { typeCodes } from "./internal/types.ts"
import { uniqueNames } from "./internal/uniqueNames.ts"
import { deadCode } from "./passes/DeadCode.ts"
import { isRandom } from "./RandomNodes.ts"
import { bytesOf, type ElementType, elementCount, float32, int64, type Tensor, zeros } from "./Tensor.ts"

/** What `GraphBuilder.op` needs besides the operator's name and inputs. */
export interface OpOptions {
  readonly domain?: string
  readonly attributes?: Attributes
  /** Number of outputs, or what is known of each; the builder infers what it can. */
  readonly outputs?: number | readonly ValueType[]
  /** Name of the node, for messages and profiles. */
  readonly name?: string
}

/** What `GraphBuilder.callWithInputs` made, by the names that the called graph has for them. */
export interface GraphCall {
  readonly inputs: Readonly<Record<string, Value>>
  readonly outputs: Readonly<Record<string, Value>>
}

/** The operator set of ONNX that built graphs use. */
export const builderOpset = 20

/**
 * Builds a graph node by node. Structurally equal nodes are made once (hash-consing), so a value written twice costs
 * nothing; types and shapes are inferred and checked as far as they are known, and a contradiction is an
 * `InvalidGraph` at the place that made it.
 *
 * @example
 * ```ts
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const x = g.input("x", "float32", [2, 3])
 * const graph = g.build({ y: g.reduceSum(g.mul(x, x), [1], false) })
 * console.log(graph.outputs[0]?.dims) // [ 2 ]
 * ```
 */
export class GraphBuilder {
  readonly #nodes: Node[] = []
  readonly #inputs: Value[] = []
  readonly #initializers = new Map<string, Tensor>()
  readonly #values = new Map<string, Value>()
  /** The node that made each value. */
  readonly #makers = new Map<string, Node>()
  readonly #applied = new Map<string, readonly Value[]>()
  readonly #constants = new Map<string | Tensor, Value>()
  readonly #opsets = new Map<string, number>([["", builderOpset]])
  #scope: readonly string[] = []
  #count = 0

  /** A graph input. Its name must be new. */
  input(name: string, type: ElementType, dims: Dims): Value {
    const value = this.#declare({ name, type, dims })
    this.#inputs.push(value)
    return value
  }

  /** An input of which little may be known: a value of another graph that this one continues. Its name must be new. */
  operand(name: string, type: ElementType | undefined, dims: Dims | undefined): Value {
    const value = this.#declare({ name, type, dims })
    this.#inputs.push(value)
    return value
  }

  /** A named tensor that is stored with the graph. Its name must be new. */
  initializer(name: string, tensor: Tensor): Value {
    this.#initializers.set(name, tensor)
    return this.#declare({ name, type: tensor.type, dims: tensor.dims })
  }

  /** A constant; equal small tensors become one value, large ones if they are the same object. */
  constant(tensor: Tensor): Value {
    const small = tensor.data.length <= 64
    const key = small ? `${tensor.type}[${tensor.dims}]${constantKey(tensor)}` : tensor
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const value = this.initializer(this.#fresh("constant"), tensor)
    this.#constants.set(key, value)
    return value
  }

  /** A rank-0 `float32` constant. */
  scalar(value: number): Value {
    return this.constant(float32([], [value]))
  }

  /** A rank-1 `int64` constant, as shapes and axes are given. */
  indices(values: readonly number[]): Value {
    return this.constant(int64([values.length], values))
  }

  /** The tensor behind a value, if it is a constant or an initializer. */
  constantOf(value: Value | undefined): Tensor | undefined {
    return value === undefined ? undefined : this.#initializers.get(value.name)
  }

  /** Runs `body` with `name` put before the names of the nodes that it makes. */
  scope<A>(name: string, body: () => A): A {
    const outer = this.#scope
    this.#scope = name === "" ? outer : [...outer, name]
    try {
      return body()
    } finally {
      this.#scope = outer
    }
  }

  /** Applies any operator; the typed methods below are shorthands for it. */
  op(op: string, inputs: readonly (Value | undefined)[], options: OpOptions = {}): readonly Value[] {
    const { domain = "", attributes = {}, outputs = 1 } = options
    for (const value of inputs) {
      if (value !== undefined && !this.#values.has(value.name)) {
        throw new InvalidGraph({
          message: `${op} reads a value that this builder did not make`,
          node: op,
          found: value.name,
        })
      }
    }
    const names = trimmed(inputs.map((value) => value?.name ?? ""))
    const count = typeof outputs === "number" ? outputs : outputs.length
    const key = isRandom({ op, attributes }) ? "" : applicationKey(domain, op, names, attributes, count)
    const known = key === "" ? undefined : this.#applied.get(key)
    if (known !== undefined) return known
    const inferred = inferTypes({
      op,
      inputs,
      attributes,
      outputs: count,
      constant: (value) => this.constantOf(value),
      ...(options.name === undefined ? {} : { name: options.name }),
    })
    const results = inferred.map((type, index) => {
      const given = typeof outputs === "number" ? undefined : outputs[index]
      return this.#declare({
        name: this.#fresh(op),
        type: type.type ?? given?.type,
        dims: moreStatic(type.dims, given?.dims),
      })
    })
    const node: Node = {
      op,
      domain,
      name: [...this.#scope, options.name ?? results[0]?.name ?? op].join("/"),
      inputs: names,
      outputs: results.map((value) => value.name),
      attributes,
    }
    this.#nodes.push(node)
    for (const { name } of results) this.#makers.set(name, node)
    if (domain !== "" && !this.#opsets.has(domain)) this.#opsets.set(domain, 1)
    if (key !== "") this.#applied.set(key, results)
    return results
  }

  /** The result of an operator of ONNX's own without attributes, if it was applied to these values before. */
  applied(op: string, inputs: readonly Value[]): Value | undefined {
    const names = inputs.map((value) => value.name)
    return this.#applied.get(applicationKey("", op, names, {}, 1))?.[0]
  }

  /**
   * Inlines another graph: its inputs are bound by name to `bindings`, initializers that are not bound become
   * constants of this graph, and its outputs come back by name. Calling a graph twice with the same bindings for its
   * parameters ties their weights. The operator-set versions must agree (see `upgrade`).
   */
  call(graph: Graph, bindings: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
    this.#adopt(graph)
    const bound = new Map<string, Value>(Object.entries(bindings))
    for (const input of graph.inputs) {
      if (!bound.has(input.name) && !graph.initializers.has(input.name)) {
        throw new InvalidGraph({
          message: `input ${input.name} of graph ${graph.name} is not bound`,
          field: input.name,
        })
      }
    }
    const resolve = (name: string): Value | undefined => {
      if (name === "") return undefined
      const value = bound.get(name)
      if (value !== undefined) return value
      const initializer = graph.initializers.get(name)
      if (initializer === undefined) {
        throw new InvalidGraph({ message: `graph ${graph.name} reads ${name}, which nothing makes`, found: name })
      }
      const constant = this.constant(initializer)
      bound.set(name, constant)
      return constant
    }
    for (const node of graph.nodes) {
      const results = this.op(node.op, node.inputs.map(resolve), {
        domain: node.domain,
        attributes: node.attributes,
        outputs: node.outputs.map((name) => describeValue(graph, name)),
        name: node.name,
      })
      for (const [index, name] of node.outputs.entries()) if (name !== "") bound.set(name, results[index]!)
    }
    return Object.fromEntries(graph.outputs.map(({ name }) => [name, resolve(name)!]))
  }

  /**
   * `call` with an input of this graph for every input of the other: named `rename(name)`, of its type and shape. Where
   * this graph has an input of that name and they fit, that one is taken, so that calls whose weights keep their names
   * share them. What `bindings` has, by the called graph's name, is bound to that and becomes no input.
   *
   * @throws InvalidGraph where the name belongs to an input of another type or shape, or to a value that is no input, and
   * what `call` throws
   *
   * @example
   * ```ts
   * import { GraphBuilder } from "@tandem/onnx"
   *
   * const m = new GraphBuilder()
   * const product = m.matmul(m.input("x", "float32", [2, 3]), m.input("w", "float32", [3, 3]))
   * const model = m.build({ y: product })
   *
   * const g = new GraphBuilder()
   * const one = (side: string) => g.callWithInputs(model, (name) => (name === "w" ? name : `${side}.${name}`))
   * const [a, b] = [one("query").outputs["y"]!, one("passage").outputs["y"]!]
   * const graph = g.build({ scores: g.matmul(a, g.transpose(b, [1, 0])) })
   * console.log(graph.inputs.map(({ name }) => name)) // [ "query.x", "w", "passage.x" ]
   * ```
   */
  callWithInputs(
    graph: Graph,
    rename: (name: string) => string = (name) => name,
    bindings: Readonly<Record<string, Value>> = {},
  ): GraphCall {
    const inputs = Object.fromEntries(
      graph.inputs.map((input) => {
        return [input.name, bindings[input.name] ?? this.#inputLike({ ...input, name: rename(input.name) })]
      }),
    )
    return { inputs, outputs: this.call(graph, { ...bindings, ...inputs }) }
  }

  /** The input of this name, made where there is none. */
  #inputLike(wanted: Value): Value {
    const { name, type, dims } = wanted
    const known = this.#values.get(name)
    if (known === undefined) return this.operand(name, type, dims)
    if (this.#inputs.includes(known) && known.type === type && `${known.dims}` === `${dims}`) return known
    throw new InvalidGraph({
      message: `the name ${name} of an input belongs to another value`,
      field: name,
      expected: describe(wanted),
      found: this.#inputs.includes(known) ? describe(known) : `a value that is no input, ${describe(known)}`,
      hint: "give the input another name, or bind it",
    })
  }

  /** The finished graph with the named outputs; nodes that no output needs are left out, inputs are all kept. */
  build(outputs: Readonly<Record<string, Value>>, name = "tandem"): Graph {
    const made = new Set(this.#nodes.flatMap((node) => node.outputs))
    const renamed = new Map<string, string>()
    const copies: Node[] = []
    const results = Object.entries(outputs).map(([output, value]) => {
      const holder = this.#values.get(output)
      if (holder !== undefined && holder !== value) {
        if (!made.has(output))
          throw new InvalidGraph({ message: `output ${output} has the name of another value`, field: output })
        // A name that this builder thought up gives way
        if (!renamed.has(output)) renamed.set(output, this.#fresh(output))
      }
      if (output !== value.name) {
        if (made.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, output)
        else
          copies.push({
            op: "Identity",
            domain: "",
            name: output,
            inputs: [value.name],
            outputs: [output],
            attributes: {},
          })
      }
      return { ...value, name: output }
    })
    const rename = (value: string): string => renamed.get(value) ?? value
    const unique = uniqueNames()
    const nodes = [...this.#nodes, ...copies].map((node) => ({
      ...node,
      name: unique(node.name),
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    }))
    const values = new Map(
      [...this.#values.values()].map((value) => [rename(value.name), { ...value, name: rename(value.name) }]),
    )
    return deadCode({
      name,
      inputs: this.#inputs,
      outputs: results,
      nodes,
      initializers: this.#initializers,
      values,
      opsets: this.#opsets,
    })
  }

  #adopt(graph: Graph): void {
    for (const [domain, version] of graph.opsets) {
      const own = this.#opsets.get(domain)
      if (own === undefined) this.#opsets.set(domain, version)
      else if (own !== version && graph.nodes.some((node) => node.domain === domain)) {
        throw new InvalidGraph({
          message: `graph ${graph.name} uses another version of operator set "${domain}"`,
          expected: `${own}`,
          found: `${version}`,
          hint: "upgrade the graph first",
        })
      }
    }
  }

  #declare(value: Value): Value {
    if (this.#values.has(value.name)) {
      throw new InvalidGraph({ message: `the name ${value.name} is used twice`, field: value.name })
    }
    this.#values.set(value.name, value)
    return value
  }

  #fresh(stem: string): string {
    for (;;) {
      const name = `${stem}_${this.#count++}`
      if (!this.#values.has(name)) return name
    }
  }

  #one(op: string, inputs: readonly (Value | undefined)[], options: OpOptions = {}): Value {
    return this.op(op, inputs, options)[0]!
  }

  // Elementwise

  add(a: Value, b: Value): Value {
    return this.#one("Add", [a, b])
  }
  sub(a: Value, b: Value): Value {
    return this.#one("Sub", [a, b])
  }
  mul(a: Value, b: Value): Value {
    return this.#one("Mul", [a, b])
  }
  div(a: Value, b: Value): Value {
    return this.#one("Div", [a, b])
  }
  pow(a: Value, b: Value): Value {
    return this.#one("Pow", [a, b])
  }
  max(a: Value, b: Value): Value {
    return this.#one("Max", [a, b])
  }
  neg(x: Value): Value {
    return this.#one("Neg", [x])
  }
  sqrt(x: Value): Value {
    return this.#one("Sqrt", [x])
  }
  exp(x: Value): Value {
    return this.#one("Exp", [x])
  }
  log(x: Value): Value {
    return this.#one("Log", [x])
  }
  erf(x: Value): Value {
    return this.#one("Erf", [x])
  }
  sin(x: Value): Value {
    return this.#one("Sin", [x])
  }
  cos(x: Value): Value {
    return this.#one("Cos", [x])
  }
  tanh(x: Value): Value {
    return this.#one("Tanh", [x])
  }
  sigmoid(x: Value): Value {
    return this.#one("Sigmoid", [x])
  }
  relu(x: Value): Value {
    return this.#one("Relu", [x])
  }
  abs(x: Value): Value {
    return this.#one("Abs", [x])
  }
  sign(x: Value): Value {
    return this.#one("Sign", [x])
  }
  reciprocal(x: Value): Value {
    return this.#one("Reciprocal", [x])
  }
  identity(x: Value): Value {
    return this.#one("Identity", [x])
  }
  /** GELU; `approximate: "tanh"` for the tanh form. */
  gelu(x: Value, approximate: "none" | "tanh" = "none"): Value {
    return this.#one("Gelu", [x], approximate === "none" ? {} : { attributes: { approximate: string(approximate) } })
  }
  where(condition: Value, a: Value, b: Value): Value {
    return this.#one("Where", [condition, a, b])
  }
  equal(a: Value, b: Value): Value {
    return this.#one("Equal", [a, b])
  }
  greater(a: Value, b: Value): Value {
    return this.#one("Greater", [a, b])
  }
  less(a: Value, b: Value): Value {
    return this.#one("Less", [a, b])
  }
  greaterOrEqual(a: Value, b: Value): Value {
    return this.#one("GreaterOrEqual", [a, b])
  }
  lessOrEqual(a: Value, b: Value): Value {
    return this.#one("LessOrEqual", [a, b])
  }
  cast(x: Value, type: ElementType): Value {
    const code = typeCodes.get(type)
    if (code === undefined) throw new InvalidGraph({ message: `no cast to ${type}`, found: type })
    return x.type === type ? x : this.#one("Cast", [x], { attributes: { to: int(code) } })
  }

  // Products

  /** `[…, m, k] · […, k, n]`, batch dimensions broadcast. */
  matmul(a: Value, b: Value): Value {
    return this.#one("MatMul", [a, b])
  }
  /** `alpha · op(a) · op(b) + beta · c` of matrices, where `op` transposes if asked. */
  gemm(a: Value, b: Value, options: GemmOptions = {}): Value {
    const { c, transA = false, transB = false, alpha = 1, beta = 1 } = options
    return this.#one("Gemm", [a, b, c], {
      attributes: {
        ...(transA ? { transA: int(1) } : {}),
        ...(transB ? { transB: int(1) } : {}),
        ...(alpha === 1 ? {} : { alpha: float(alpha) }),
        ...(beta === 1 ? {} : { beta: float(beta) }),
      },
    })
  }
  /** MatMul with either operand's last two axes swapped and a factor, ONNX Runtime's own operator. */
  fusedMatmul(a: Value, b: Value, options: { transA?: boolean; transB?: boolean; alpha?: number } = {}): Value {
    return this.#one("FusedMatMul", [a, b], {
      domain: "com.microsoft",
      attributes: {
        transA: int(options.transA === true ? 1 : 0),
        transB: int(options.transB === true ? 1 : 0),
        alpha: float(options.alpha ?? 1),
      },
    })
  }

  // Reductions, softmax, norms

  reduceSum(x: Value, axes: readonly number[], keepDims = true): Value {
    return this.#reduce("ReduceSum", x, axes, keepDims)
  }
  reduceMean(x: Value, axes: readonly number[], keepDims = true): Value {
    return this.#reduce("ReduceMean", x, axes, keepDims)
  }
  reduceMax(x: Value, axes: readonly number[], keepDims = true): Value {
    return this.#reduce("ReduceMax", x, axes, keepDims)
  }
  reduceLogSumExp(x: Value, axes: readonly number[], keepDims = true): Value {
    return this.#reduce("ReduceLogSumExp", x, axes, keepDims)
  }
  reduceSumSquare(x: Value, axes: readonly number[], keepDims = true): Value {
    return this.#reduce("ReduceSumSquare", x, axes, keepDims)
  }
  #reduce(op: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
    return this.#one(op, [x, axes.length === 0 ? undefined : this.indices(axes)], {
      attributes: { keepdims: int(keepDims ? 1 : 0) },
    })
  }
  softmax(x: Value, axis = -1): Value {
    return this.#one("Softmax", [x], { attributes: { axis: int(axis) } })
  }
  logSoftmax(x: Value, axis = -1): Value {
    return this.#one("LogSoftmax", [x], { attributes: { axis: int(axis) } })
  }
  layerNormalization(x: Value, scale: Value, bias: Value | undefined, epsilon: number, axis = -1): Value {
    return this.#one("LayerNormalization", [x, scale, bias], {
      attributes: { axis: int(axis), epsilon: float(epsilon) },
    })
  }

  // Shape

  /** Reshapes; 0 keeps a dimension, one −1 takes what is left. */
  reshape(x: Value, dims: readonly number[]): Value {
    if (x.dims?.length === dims.length && x.dims.every((dim, axis) => dim === dims[axis] && dim !== 0)) return x
    return this.#one("Reshape", [x, this.indices(dims)])
  }
  /**
   * Permutes axes. A permutation of a permutation is one, and none at all where they cancel out; the transpose of a
   * product of matrices is the product of their transposes in the other order, which providers fold into the product.
   */
  transpose(x: Value, perm: readonly number[]): Value {
    if (perm.every((axis, index) => axis === index)) return x
    const maker = this.#makers.get(x.name)
    const inner = maker?.op === "Transpose" ? intsAttribute(maker, "perm") : undefined
    if (inner !== undefined) {
      return this.transpose(
        this.#values.get(maker!.inputs[0]!)!,
        perm.map((axis) => inner[axis]!),
      )
    }
    const [a, b] = maker?.op === "MatMul" ? maker.inputs.map((name) => this.#values.get(name)!) : []
    if (
      a !== undefined &&
      b !== undefined &&
      swapsLast(perm) &&
      a.dims?.length === perm.length &&
      b.dims?.length === perm.length &&
      this.#toTranspose([a, b]) <= this.#toTranspose([x])
    ) {
      return this.matmul(this.transpose(b, perm), this.transpose(a, perm))
    }
    return this.#one("Transpose", [x], { attributes: { perm: ints(perm) } })
  }
  /** Elements that a further transposition of these values moves: none of those that are transposed already. */
  #toTranspose(values: readonly Value[]): number {
    return values.reduce((sum, { name, dims }) => {
      const sizes = this.#makers.get(name)?.op === "Transpose" ? [0] : (staticDims(dims) ?? [0])
      return sum + elementCount(sizes)
    }, 0)
  }
  unsqueeze(x: Value, axes: readonly number[]): Value {
    return this.#one("Unsqueeze", [x, this.indices(axes)])
  }
  squeeze(x: Value, axes: readonly number[]): Value {
    return this.#one("Squeeze", [x, this.indices(axes)])
  }
  expand(x: Value, dims: readonly number[]): Value {
    return this.#one("Expand", [x, this.indices(dims)])
  }
  concat(values: readonly Value[], axis: number): Value {
    return values.length === 1 ? values[0]! : this.#one("Concat", values, { attributes: { axis: int(axis) } })
  }
  split(x: Value, sizes: readonly number[], axis: number): readonly Value[] {
    return this.op("Split", [x, this.indices(sizes)], { attributes: { axis: int(axis) }, outputs: sizes.length })
  }
  /** `x[start:end]` along one axis. */
  slice(x: Value, axis: number, start: number, end: number, step = 1): Value {
    return this.#one("Slice", [
      x,
      this.indices([start]),
      this.indices([end]),
      this.indices([axis]),
      ...(step === 1 ? [] : [this.indices([step])]),
    ])
  }
  gather(data: Value, indices: Value, axis = 0): Value {
    return this.#one("Gather", [data, indices], { attributes: { axis: int(axis) } })
  }
  /** Adds `updates` to `data` at `indices`; repeated indices add up. */
  scatterNdAdd(data: Value, indices: Value, updates: Value): Value {
    return this.#one("ScatterND", [data, indices, updates], { attributes: { reduction: string("add") } })
  }
  /** Adds `updates` to `data` along `axis`; repeated indices add up. */
  scatterElementsAdd(data: Value, indices: Value, updates: Value, axis: number): Value {
    return this.#one("ScatterElements", [data, indices, updates], {
      attributes: { axis: int(axis), reduction: string("add") },
    })
  }
  /** A tensor of zeros of a known shape. */
  zeros(type: Exclude<ElementType, "string">, dims: readonly number[]): Value {
    const value: Tensor = { type, dims: [1], data: zeros(type, 1) }
    return this.#one("ConstantOfShape", [this.indices(dims)], { attributes: { value: { kind: "tensor", value } } })
  }
}

/** Options of `GraphBuilder.gemm`. */
export interface GemmOptions {
  readonly c?: Value
  readonly transA?: boolean
  readonly transB?: boolean
  readonly alpha?: number
  readonly beta?: number
}

const describe = ({ type, dims }: Value): string => `${type ?? "?"}[${dims ?? "?"}]`

/** Whether a permutation swaps the last two axes and nothing else. */
const swapsLast = (perm: readonly number[]): boolean =>
  perm.every((axis, index) => axis === (index < perm.length - 2 ? index : 2 * perm.length - 3 - index))

const trimmed = (names: readonly string[]): readonly string[] => {
  let end = names.length
  while (end > 0 && names[end - 1] === "") end--
  return names.slice(0, end)
}

const constantKey = (tensor: Tensor): string =>
  tensor.type === "string" ? JSON.stringify(tensor.data) : bytesOf(tensor).join()

const attributeKey = (attribute: Attribute): string => {
  switch (attribute.kind) {
    case "tensor":
      return attribute.value.data.length <= 64
        ? `${attribute.value.type}[${attribute.value.dims}]${constantKey(attribute.value)}`
        : `#${identity(attribute.value)}`
    case "graph":
      return `#${identity(attribute.value)}`
    default:
      return `${attribute.kind}:${JSON.stringify(attribute.value)}`
  }
}

const attributesKey = (attributes: Attributes): string =>
  Object.keys(attributes)
    .sort()
    .map((name) => `${name}=${attributeKey(attributes[name]!)}`)
    .join()

/** What structurally equal nodes share. */
const applicationKey = (
  domain: string,
  op: string,
  names: readonly string[],
  attributes: Attributes,
  outputs: number,
): string => `${domain}:${op}(${names})${attributesKey(attributes)}→${outputs}`

const identities = new WeakMap<object, number>()
let nextIdentity = 0
const identity = (value: object): number => {
  const known = identities.get(value)
  if (known !== undefined) return known
  identities.set(value, ++nextIdentity)
  return nextIdentity
}
