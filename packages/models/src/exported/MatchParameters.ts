import type { Float32Tensor, Tensor } from "@tandem/onnx"
import { toFloat32 } from "../Floats.ts"
import { type Corner, findBlock } from "./MatchBlocks.ts"

/** An initializer that holds the values of a parameter, or those of its transpose. */
export interface Partner {
  readonly name: string
  /** Whether the initializer holds the parameter with its last two axes swapped. */
  readonly transposed: boolean
  /**
   * Where the exporter folded a factor or a summand into it, as 1 + w of Gemma's norms: the initializer is
   * scale · parameter + offset, and the gradient by the parameter scale times that by the initializer.
   */
  readonly scale?: number
  readonly offset?: number
  /** Where it holds more than the parameter, as query, key and value in one: the corner of the parameter's block. */
  readonly from?: Corner
  /** Where it holds a part of the parameter alone: the corner of its block in the parameter. */
  readonly to?: Corner
  /** Its shape. */
  readonly dims?: readonly number[]
}

/** A parameter of the reference and every initializer with its values; several are copies of one tied weight. */
export interface ParameterMatch {
  readonly parameter: string
  readonly partners: readonly Partner[]
}

/** How the parameters of a reference and the initializers of a model go together. */
export interface ParameterMatches {
  readonly matched: readonly ParameterMatch[]
  /** Parameters whose values no initializer holds. */
  readonly unmatched: readonly string[]
  /** Parameters of equal values that the reference gives different gradients, so that values do not tell them apart. */
  readonly ambiguous: readonly string[]
}

/**
 * Finds the initializers of an exported model that hold a reference's parameters, by value, because exporters rename,
 * reshape, transpose, copy, join and cut them. Values must be equal to the last bit; −0 counts as 0. Only where nothing is
 * equal, and a parameter has 8 elements or more, it is looked for as a block of a larger initializer, as what several
 * initializers hold block by block, and as an initializer that is a multiple of it, or lies a constant away. The last is
 * looked for beside equal ones, too: what was computed beforehand of w, as 1 − w, is a part of its gradient.
 * A parameter that stands in the file several times has several partners, and its gradient is the sum of theirs. Parameters of equal
 * values and equal gradients are one tied weight under several names, and have the same partners.
 */
export const matchParameters = (
  initializers: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor>,
): ParameterMatches => {
  const index = indexed(initializers)
  const equal = [...weights].map(([parameter, weight]) => ({
    parameter,
    weight,
    partners: partnersOf(index, parameter, weight),
  }))
  const taken = new Set(equal.flatMap(({ partners }) => partners.map(({ name }) => name)))
  const free = new Map<string, Float32Tensor>()
  for (const [name, value] of initializers) {
    if (!taken.has(name) && floats.has(value.type)) free.set(name, toFloat32(value, name))
  }
  const found = equal.map(({ parameter, weight, partners }) => {
    const value = toFloat32(weight, parameter)
    return {
      parameter,
      partners: partners.length > 0 ? [...partners, ...furtherImages(free, value)] : lessEqual(free, value),
    }
  })
  const sharing = new Map<string, string[]>()
  for (const { parameter, partners } of found) {
    for (const { name, from } of partners) {
      const place = from === undefined ? name : `${name} from ${from.row}, ${from.column}`
      sharing.set(place, [...(sharing.get(place) ?? []), parameter])
    }
  }
  const gradientKeys = (name: string) => {
    const gradient = gradients.get(name)
    return gradient === undefined ? undefined : keysOf(toFloat32(gradient, name))
  }
  const unlike = (a: string, b: string): boolean => {
    const [x, y] = [gradientKeys(a), gradientKeys(b)]
    return x?.direct !== y?.direct && x?.direct !== y?.transposed
  }
  const ambiguous = new Set(
    [...sharing.values()].flatMap((names) => (names.slice(1).some((name) => unlike(name, names[0]!)) ? names : [])),
  )
  return {
    matched: found.filter(({ parameter, partners }) => partners.length > 0 && !ambiguous.has(parameter)),
    unmatched: found.filter(({ partners }) => partners.length === 0).map(({ parameter }) => parameter),
    ambiguous: [...ambiguous],
  }
}

/** A tensor with its last two axes swapped; vectors and scalars stay as they are. */
export const transposeLast = (value: Float32Tensor): Float32Tensor => {
  const { dims, data } = value
  const [rows = 1, columns = 1] = dims.slice(-2)
  if (dims.length < 2 || rows === 1 || columns === 1) return value
  const result = new Float32Array(data.length)
  for (let start = 0; start < data.length; start += rows * columns) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        result[start + column * rows + row] = data[start + row * columns + column]!
      }
    }
  }
  return { type: "float32", dims: [...dims.slice(0, -2), columns, rows], data: result }
}

const floats: ReadonlySet<string> = new Set(["float16", "bfloat16", "float32", "float64"])

/** Initializers by a key of their values in order, whatever their shape. */
const indexed = (initializers: ReadonlyMap<string, Tensor>): ReadonlyMap<string, readonly string[]> => {
  const index = new Map<string, string[]>()
  for (const [name, value] of initializers) {
    if (!floats.has(value.type) || value.data.length === 0) continue
    const key = keyOf(toFloat32(value, name).data)
    const holders = index.get(key)
    if (holders === undefined) index.set(key, [name])
    else holders.push(name)
  }
  return index
}

const partnersOf = (
  index: ReadonlyMap<string, readonly string[]>,
  name: string,
  weight: Tensor,
): readonly Partner[] => {
  const { direct, transposed } = keysOf(toFloat32(weight, name))
  const plain = (index.get(direct) ?? []).map((partner) => ({ name: partner, transposed: false }))
  const turned = transposed === direct ? [] : (index.get(transposed) ?? [])
  return [...plain, ...turned.map((partner) => ({ name: partner, transposed: true }))]
}

const formsOf = (weight: Float32Tensor): readonly Form[] => {
  const turned = transposeLast(weight)
  const plain = { value: weight, transposed: false }
  return turned === weight ? [plain] : [plain, { value: turned, transposed: true }]
}

/** What the exporter computed beforehand from a parameter that also stands in the file as it is, as 1 − w beside w. */
const furtherImages = (free: ReadonlyMap<string, Float32Tensor>, weight: Float32Tensor): readonly Partner[] =>
  weight.data.length < fewest ? [] : imagesOf(free, formsOf(weight))

/** Initializers that hold a parameter otherwise than whole and value by value. */
const lessEqual = (free: ReadonlyMap<string, Float32Tensor>, weight: Float32Tensor): readonly Partner[] => {
  if (weight.data.length < fewest) return []
  const forms = formsOf(weight)
  const kinds = [holdersOf, piecesOf, imagesOf]
  for (const kind of kinds) {
    const partners = kind(free, forms)
    if (partners.length > 0) return partners
  }
  return []
}

interface Form {
  readonly value: Float32Tensor
  readonly transposed: boolean
}

type Search = (free: ReadonlyMap<string, Float32Tensor>, forms: readonly Form[]) => readonly Partner[]

/** Larger initializers with the parameter as a block. */
const holdersOf: Search = (free, forms) =>
  [...free].flatMap(([name, tensor]) =>
    forms.flatMap(({ value, transposed }): Partner[] => {
      const from = findBlock(value, tensor)
      return from === undefined ? [] : [{ name, transposed, from, dims: tensor.dims }]
    }),
  )

/** Smaller initializers that are the whole parameter together. */
const piecesOf: Search = (free, forms) => {
  for (const { value, transposed } of forms) {
    const pieces = [...free].flatMap(([name, tensor]): Partner[] => {
      const to = findBlock(tensor, value)
      return to === undefined ? [] : [{ name, transposed, to, dims: tensor.dims }]
    })
    const covered = pieces.reduce((sum, { name }) => sum + (free.get(name)?.data.length ?? 0), 0)
    if (covered === value.data.length) return pieces
  }
  return []
}

/** Initializers that are scale · parameter + offset, which leaves no doubt where a parameter has some elements. */
const imagesOf: Search = (free, forms) =>
  [...free].flatMap(([name, { data }]): Partner[] => {
    for (const { value, transposed } of forms) {
      const image = data.length === value.data.length ? affine(value.data, data) : undefined
      if (image !== undefined) return [{ name, transposed, ...image }]
    }
    return []
  })

const fewest = 8

/** The numbers with y = scale · x + offset to within rounding, if there are any. */
const affine = (x: Float32Array, y: Float32Array): { readonly scale: number; readonly offset: number } | undefined => {
  const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [middleX, middleY] = [mean(x), mean(y)]
  let [together, squares, largest] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    together += (x[i]! - middleX) * (y[i]! - middleY)
    squares += (x[i]! - middleX) ** 2
    largest = Math.max(largest, Math.abs(y[i]!))
  }
  const slope = together / squares
  const scale = Math.abs(slope - 1) < 1e-5 ? 1 : slope
  const offset = middleY - scale * middleX
  if (!(Math.abs(scale) * Math.sqrt(squares / x.length) > 1e-3 * largest)) return undefined
  for (let i = 0; i < x.length; i++) if (!(Math.abs(scale * x[i]! + offset - y[i]!) <= 5e-7 * largest)) return undefined
  return { scale, offset: Math.abs(offset) < 1e-6 * largest ? 0 : offset }
}

const keysOf = (value: Float32Tensor): { readonly direct: string; readonly transposed: string } => {
  const direct = keyOf(value.data)
  const turned = transposeLast(value)
  return { direct, transposed: turned === value ? direct : keyOf(turned.data) }
}

/** The number of elements and 96 bits of hash of the values' bits. */
const keyOf = (data: Float32Array): string => {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
  let [a, b, c] = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b]
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] === 0x80000000 ? 0 : bits[i]!
    a = Math.imul(a ^ word, 0x01000193)
    b = Math.imul(b ^ (word + i), 0xc2b2ae35)
    b ^= b >>> 15
    c = Math.imul(c + (word ^ (word >>> 16)), 0x27d4eb2f)
    c ^= c >>> 13
  }
  return `${data.length}:${a >>> 0}:${b >>> 0}:${c >>> 0}`
}
