// RAG-Token with renewed retrieval over a store that is really searched: the worked numbers, and the gradient that reaches
// the query of each step.
import assert from "node:assert/strict"
import { test } from "node:test"
import { differentiate } from "@tandem/autodiff"
import { ragTokenRenewed, retrievalLogPrior } from "@tandem/losses"
import { bool, float32, GraphBuilder, int64, toNumbers } from "@tandem/onnx"
import { Exact, type Hit, KnowledgeStore } from "@tandem/store"
import { Effect } from "effect"
import { execute } from "./support/Golden.ts"

const passages = [
  { id: "revolt", text: "In 1618 the estates of Bohemia threw the emperor's governors out of a window in Prague." },
  { id: "faith", text: "Catholics and Protestants of the empire had armed against each other since 1608." },
  { id: "crown", text: "A Protestant prince accepted the crown of Bohemia, which the emperor claimed." },
  { id: "armies", text: "Armies lived off the land that they marched through." },
  { id: "famine", text: "Hunger and plague took a third of the people in many of the empire's lands." },
  { id: "treaty", text: "In 1648 envoys signed the peace at Münster and Osnabrück." },
  { id: "borders", text: "The peace gave princes sovereignty and moved the borders of France and Sweden." },
]

/** A step of the answer: its token, and what each passage found has as prior and as the token's probability. */
interface Step {
  readonly token: string
  readonly found: Readonly<Record<string, { readonly prior: number; readonly likelihood: number }>>
}

const question = "Why did the Thirty Years' War break out, and what came of it?"
const steps: readonly Step[] = [
  { token: "revolt", found: { revolt: { prior: 0.5, likelihood: 0.9 }, faith: { prior: 0.5, likelihood: 0.7 } } },
  { token: "and faith", found: { faith: { prior: 0.6, likelihood: 0.85 }, crown: { prior: 0.4, likelihood: 0.8 } } },
  { token: "; hunger", found: { armies: { prior: 0.55, likelihood: 0.9 }, famine: { prior: 0.45, likelihood: 0.85 } } },
  { token: "and peace", found: { treaty: { prior: 0.6, likelihood: 0.8 }, borders: { prior: 0.4, likelihood: 0.7 } } },
]
const dimension = passages.length
const k = 2

/** A passage is an axis. */
const passageVectors = Float32Array.from({ length: dimension ** 2 }, (_, at) => (at % (dimension + 1) === 0 ? 1 : 0))

/** The query of each step, the question with the answer so far, as an encoder would place it: near what it is to find. */
const queries = steps.map(({ found }, step) => ({
  text: [question, ...steps.slice(0, step).map(({ token }) => token)].join(" "),
  vector: passages.map(({ id }) => (found[id] === undefined ? 0 : 2 + Math.log(found[id].prior))),
}))

const identity = { dimension, similarity: "dot", fingerprint: "axes" } as const
const search = Effect.gen(function* () {
  const store = yield* KnowledgeStore
  yield* store.add({ passages, vectors: passageVectors, fingerprint: identity.fingerprint })
  const vectors = Float32Array.from(queries.flatMap(({ vector }) => vector))
  return yield* store.search({ vectors, k, fingerprint: identity.fingerprint, withVectors: true })
}).pipe(Effect.provide(Exact.layer(identity)))

/** Loss and gradients of one question whose queries are inputs and whose passages come from the store. */
const graphOf = (hits: readonly (readonly Hit[])[]) => {
  const retrieved = [...new Set(hits.flat().map(({ passage }) => passage.id))]
  const g = new GraphBuilder()
  const query = g.input("queries", "float32", [steps.length, 1, dimension])
  const vectors = float32(
    [steps.length, dimension, k],
    hits.flatMap((each) =>
      Array.from({ length: dimension }, (_, axis) => each.map(({ vector }) => vector![axis]!)).flat(),
    ),
  )
  const scores = g.reshape(g.matmul(query, g.constant(vectors)), [1, steps.length, k])
  const likelihoods = retrieved.map((id) => steps.map(({ found }) => Math.log(found[id]?.likelihood ?? 1e-3)))
  const each = ragTokenRenewed(g, {
    logPrior: retrievalLogPrior(g, scores),
    passages: g.constant(
      int64(
        [1, steps.length, k],
        hits.flat().map(({ passage }) => retrieved.indexOf(passage.id)),
      ),
    ),
    segments: g.constant(int64([1, steps.length], [...steps.keys()])),
    logLikelihood: g.constant(float32([1, retrieved.length, steps.length], likelihoods.flat())),
    mask: g.constant(
      bool(
        [1, steps.length],
        steps.map(() => true),
      ),
    ),
  })
  const { loss, perToken, posterior, tokenLogPrior } = each
  const graph = g.build({ loss, perToken, posterior, prior: g.exp(tokenLogPrior) })
  return { retrieved, graph: differentiate(graph, { loss: "loss", wrt: ["queries"] }) }
}

const close = (found: number, expected: number, what: string) =>
  assert.ok(Math.abs(found - expected) < 1e-5, `${what}: ${found}, expected ${expected}`)

test("four searches for one answer give the worked example's probability, and each query its gradient", async () => {
  const hits = await Effect.runPromise(search)
  for (const [step, { found }] of steps.entries())
    assert.deepEqual(
      hits[step]!.map(({ passage }) => passage.id).sort(),
      Object.keys(found).sort(),
      queries[step]!.text,
    )
  const { retrieved, graph } = graphOf(hits)
  assert.equal(retrieved.length, passages.length)

  const feeds = {
    queries: float32(
      [steps.length, 1, dimension],
      queries.flatMap(({ vector }) => vector),
    ),
  }
  const outputs = await execute(graph, feeds)
  const numbers = (name: string) => toNumbers(outputs[name]!)
  const [priors, posteriors, gradient] = [numbers("prior"), numbers("posterior"), numbers("grad.queries")]
  for (const [step, expected] of [0.8, 0.83, 0.8775, 0.76].entries()) {
    close(Math.exp(numbers("perToken")[step]!), expected, `probability of token ${step}`)
    for (const [place, { passage }] of hits[step]!.entries()) {
      const at = step * k + place
      const { prior, likelihood } = steps[step]!.found[passage.id]!
      close(priors[at]!, prior, `prior of ${passage.id}`)
      close(posteriors[at]!, (prior * likelihood) / expected, `posterior of ${passage.id}`)
      const axis = passages.findIndex(({ id }) => id === passage.id)
      close(gradient[step * dimension + axis]!, priors[at]! - posteriors[at]!, `gradient towards ${passage.id}`)
    }
  }
  assert.equal(Math.exp(-numbers("loss")[0]!).toFixed(4), "0.4428")
})
