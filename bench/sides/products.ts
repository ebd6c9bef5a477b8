// Each product of a list alone, in the form that the provider runs fastest: no step can be faster than their sum.
import { elementCount, float32, GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { type Buffer, Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Exit, Scope } from "effect"
import { answer } from "../support/Answer.ts"
import { noise } from "../support/Numbers.ts"
import { flopsOf, type Product } from "../support/Products.ts"

const settings: { products: readonly Product[]; threads: number } = JSON.parse(process.argv[2] ?? "{}")

/** How a product may find its operands: as they are, or either of them transposed in memory. */
const forms = ["NN", "NT", "TN", "TT"] as const
type Form = (typeof forms)[number]

/** The least time of so many runs, in seconds. */
type Time = (runs: number) => Effect.Effect<number>

const [runsToChoose, runsOfRound] = [1, 3]

/** Shows what the processor can do at best. */
const peak: Product = { batch: 1, m: 1024, n: 1024, k: 1024, count: 0 }

const isLarge = (product: Product): boolean => flopsOf(product) > 5e8

/** Small products stand several times in their graph, each with another right operand, so that none is merged. */
const copiesOf = (product: Product): number => (isLarge(product) ? 1 : 4)

/** Numbers for an operand; which ones makes no difference. */
const some = noise(2 ** 20, 1)
const filled = (count: number): Float32Array => {
  const values = new Float32Array(count)
  for (let at = 0; at < count; at += some.length) values.set(some.subarray(0, count - at), at)
  return values
}

/** A graph of one product, of which only a row is put out. */
const graphOf = (product: Product, form: Form) => {
  const { batch, m, n, k } = product
  const [transA, transB] = [form.startsWith("T"), form.endsWith("T")]
  const g = new GraphBuilder()
  const lead = batch === 1 ? [] : [batch]
  const left = g.input("left", "float32", [...lead, ...(transA ? [k, m] : [m, k])])
  const outputs: Record<string, Value> = {}
  for (let copy = 0; copy < copiesOf(product); copy++) {
    const right = g.input(`right${copy}`, "float32", [...lead, ...(transB ? [n, k] : [k, n])])
    const result =
      batch === 1 ? g.gemm(left, right, { transA, transB }) : g.fusedMatmul(left, right, { transA, transB, alpha: 1 })
    outputs[`row${copy}`] = g.slice(result, 0, 0, 1)
  }
  return g.build(outputs)
}

const main = Effect.gen(function* () {
  const runtime = yield* Runtime
  const owner = yield* Effect.scope
  const operands = new Map<string, Buffer>()
  const operand = Effect.fnUntraced(function* (dims: readonly number[], copy: number) {
    const key = `${dims} ${copy}`
    const known = operands.get(key)
    if (known !== undefined) return known
    const value: Tensor = float32([...dims], filled(elementCount(dims)))
    const made = yield* Effect.provideService(runtime.upload(value), Scope.Scope, owner)
    operands.set(key, made)
    return made
  })
  const prepare = Effect.fnUntraced(function* (product: Product, form: Form) {
    const graph = graphOf(product, form)
    const executable = yield* runtime.compile(graph)
    const feeds: Record<string, Buffer> = {}
    for (const [index, { name, dims }] of graph.inputs.entries())
      feeds[name] = yield* operand((dims ?? []).map(Number), index)
    const once = Effect.gen(function* () {
      const started = performance.now()
      yield* executable.run(feeds)
      return (performance.now() - started) / 1000 / copiesOf(product)
    })
    // A small product's first run waits for the threads of the graph before, which spin for a while: it does not count.
    return (runs: number) =>
      Effect.gen(function* () {
        if (!isLarge(product)) yield* once
        let least = Number.POSITIVE_INFINITY
        for (let run = 0; run < runs; run++) least = Math.min(least, yield* once)
        return least
      })
  })
  const timed: { readonly product: Product; readonly form: Form; readonly time: Time }[] = []
  for (const product of [...settings.products, peak]) {
    let best: { form: Form; seconds: number; scope: Scope.Closeable; time: Time } | undefined
    for (const form of forms) {
      const scope = yield* Scope.fork(owner)
      const repeated = yield* Effect.provideService(prepare(product, form), Scope.Scope, scope)
      const time: Time = (runs) => Effect.orDie(repeated(runs))
      const seconds = yield* time(runsToChoose)
      const slower = best === undefined || seconds < best.seconds ? best : { scope }
      if (slower !== undefined) yield* Scope.close(slower.scope, Exit.void)
      if (best === undefined || seconds < best.seconds) best = { form, seconds, scope, time }
    }
    if (best !== undefined) timed.push({ product, ...best })
  }
  const measure = Effect.forEach(timed, ({ time }) => time(runsOfRound))
  yield* Effect.promise(() =>
    answer(
      async () => {
        const values = await Effect.runPromise(measure)
        const seconds = timed.reduce((sum, { product }, index) => sum + product.count * values[index]!, 0)
        return { seconds, values }
      },
      { products: timed.map(({ product, form }) => ({ ...product, form })) },
    ),
  )
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(layer({ threads: settings.threads }))))
