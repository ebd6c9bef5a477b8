import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Disconnected } from "@tandem/autodiff"
import { type RagReduction, type RagSequenceOptions, ragSequence, ragToken } from "@tandem/losses"
import { type GraphBuilder, int64, toNumbers, type Value } from "@tandem/onnx"
import { inner, moved, noise } from "./support/Data.ts"
import { feedsOf, padding, type RagCase, type RagFeeds, ragInputs, reference } from "./support/Rag.ts"
import { graphOver, largestDifference, run, runWithGradients } from "./support/Run.ts"

type Kind = "sequence" | "token"
const kinds: readonly Kind[] = ["sequence", "token"]

interface Options {
  readonly kind: Kind
  readonly epsilon?: number
  readonly reduction?: RagReduction
  readonly compat?: NonNullable<RagSequenceOptions["compat"]>
}

const lossIn = (
  g: GraphBuilder,
  given: Readonly<Record<string, Value>>,
  { kind, epsilon, reduction = "mean", compat = "paper" }: Options,
) => {
  const { scores, present, logits, targets, mask } = given
  assert.ok(scores && present && logits && targets && mask)
  const { answers, sums, vocabularySize } = ragInputs(g, { scores, present, logits, targets, mask })
  const smoothing = epsilon === undefined ? {} : { smoothing: { epsilon, vocabularySize, vocabularySums: sums[kind] } }
  const options = { reduction, ...smoothing }
  return kind === "sequence" ? ragSequence(g, answers, { ...options, compat }) : ragToken(g, answers, options)
}

const graphOf = (feeds: RagFeeds, options: Options) =>
  graphOver(feeds, (g, given) => ({ ...lossIn(g, given, options) }))

const outputsOf = (each: RagCase, options: Options) => {
  const feeds = feedsOf(each)
  return runWithGradients(graphOf(feeds, options), feeds, ["scores", "logits"])
}

const close = (found: readonly number[] | undefined, expected: readonly number[], tolerance = 2e-6): void =>
  assert.ok(largestDifference(found, expected) < tolerance, `${found} instead of ${expected}`)

const usual = reference([
  [0, 3, 2, padding],
  [0, 4, padding, padding],
])

describe("the losses over passages have the reference implementation's numbers", () => {
  const cases: readonly (readonly [string, RagCase, Options, readonly number[]])[] = [
    ["RAG-Token", usual, { kind: "token" }, [7.48208837, 5.17942286]],
    ["RAG-Token, smoothed", usual, { kind: "token", epsilon: 0.1 }, [7.35489845, 5.10181734]],
    ["RAG-Sequence", usual, { kind: "sequence" }, [7.0758969, 4.8265931]],
    ["RAG-Sequence, smoothed", usual, { kind: "sequence", epsilon: 0.1 }, [7.16615501, 4.88305823]],
    [
      "RAG-Sequence, smoothed, where the prior counts at the second token",
      usual,
      { kind: "sequence", epsilon: 0.1, compat: "huggingface" },
      [7.16615501, 4.88305823],
    ],
    [
      "RAG-Sequence of longer answers",
      reference([
        [3, 4, 2, padding],
        [4, 3, padding, padding],
      ]),
      { kind: "sequence" },
      [4.49258332, 5.3265931],
    ],
  ]
  for (const [name, each, options, expected] of cases) {
    it(name, async () => {
      const { perExample, loss } = await outputsOf(each, options)
      close(perExample, expected)
      close(loss, [(expected[0]! + expected[1]!) / 2])
    })
  }

  it("marginal log-probabilities of the first token", async () => {
    const feeds = feedsOf(usual)
    const graph = graphOver(feeds, (g, { scores, present, logits, targets, mask }) => {
      assert.ok(scores && present && logits && targets && mask)
      return { marginal: ragInputs(g, { scores, present, logits, targets, mask }).marginal }
    })
    const { marginal } = await run(graph, feeds)
    close(marginal?.slice(0, 5), [-4.29555, -0.79555, -2.79555, -1.60837, -1.29555], 1e-5)
  })

  it("gradients of the sum by the scores", async () => {
    const token = await outputsOf(usual, { kind: "token", reduction: "sum" })
    close(token["grad.scores"], [-0.59286, 0.59286, -0.576834, 0.576834])
    const sequence = await outputsOf(usual, { kind: "sequence", reduction: "sum" })
    close(sequence["grad.scores"], [-0.266264, 0.266264, -0.542728, 0.542728])
  })

  it("answers of one token, whose prior that implementation drops", async () => {
    const short = reference([
      [3, padding, padding, padding],
      [4, padding, padding, padding],
    ])
    const ours = [1.60837381, 3.83971143]
    const theirs = [0.3190076, 2.85468009]
    for (const kind of kinds) close((await outputsOf(short, { kind }))["perExample"], ours)
    close((await outputsOf(short, { kind: "sequence", compat: "huggingface" }))["perExample"], theirs)
    const other = { ...short, scores: [[3, -2], short.scores[1]!] }
    close((await outputsOf(other, { kind: "sequence", compat: "huggingface" }))["perExample"], theirs)
    const single = { ...short, answers: [[3], [4]], logits: firstTokens(short) }
    close((await outputsOf(single, { kind: "sequence", compat: "huggingface" }))["perExample"], theirs)
    close((await outputsOf(single, { kind: "sequence" }))["perExample"], ours)
  })
})

describe("RAG-Sequence", () => {
  it("has the worked example's probability", async () => {
    const probabilities = [
      [0.9, 0.8, 0.9, 0.8],
      [0.9, 0.8, 0.9, 0.2],
    ]
    const worked: RagCase = {
      scores: [[0.6, 0.4].map(Math.log)],
      logits: probabilities.flat().flatMap((p) => [Math.log(p), Math.log(1 - p)]),
      vocabulary: 2,
      answers: [[0, 0, 0, 0]],
    }
    const { logLikelihood, loss, posterior } = await outputsOf(worked, { kind: "sequence" })
    close(logLikelihood?.map(Math.exp), [0.36288])
    close(loss, [-Math.log(0.36288)])
    close(posterior, [(0.6 * 0.5184) / 0.36288, (0.4 * 0.1296) / 0.36288])
  })
})

/** The logits of each first token. */
const firstTokens = ({ logits, vocabulary, answers }: RagCase): readonly number[] =>
  logits.filter((_, at) => at % (vocabulary * answers[0]!.length) < vocabulary)

const random = (passages: number, seed: number): RagCase => ({
  scores: [0, 1, 2].map((row) => noise(passages, seed + row).map((x) => 3 * x)),
  logits: noise(3 * passages * 4 * 6, seed + 9).map((x) => 4 * x),
  vocabulary: 6,
  answers: [
    [0, 5, 3, 2],
    [4, 2, padding, padding],
    [3, 0, 2, padding],
  ],
})

/** The case with its passages in another order, or only some of them. */
const arranged = (each: RagCase, order: readonly number[]): RagCase => {
  const k = each.scores[0]!.length
  const block = each.vocabulary * each.answers[0]!.length
  const { present } = each
  return {
    ...each,
    scores: each.scores.map((row) => order.map((from) => row[from]!)),
    ...(present === undefined ? {} : { present: present.map((row) => order.map((from) => row[from]!)) }),
    logits: each.scores.flatMap((_, row) =>
      order.flatMap((from) => each.logits.slice((row * k + from) * block, (row * k + from + 1) * block)),
    ),
  }
}

describe("losses over passages", () => {
  const each = random(3, 1)
  const variants = kinds.flatMap((kind) => [{ kind }, { kind, epsilon: 0.2 }] as const)

  it("of one passage, or of passages alike, are the generator's own", async () => {
    for (const options of variants) {
      const one = await outputsOf(arranged(each, [0]), options)
      const alike = { ...arranged(each, [0, 0, 0]), scores: each.scores }
      const many = await outputsOf(alike, options)
      const own = arranged(each, [0])
      const nll = own.answers.map((answer, row) => -answerLikelihood(own, row, answer))
      close(
        one["logLikelihood"]?.map((value) => -value),
        nll,
        1e-5,
      )
      close(many["logLikelihood"], one["logLikelihood"]!, 1e-5)
      close(one["grad.scores"], [0, 0, 0])
      // Smoothing of RAG-Sequence holds the prior V times, by definition
      if (options.kind === "token") close(many["perExample"], one["perExample"]!, 1e-5)
      if (!("epsilon" in options)) close(many["grad.scores"], Array<number>(9).fill(0), 1e-6)
    }
  })

  it("do not depend on the order of passages", async () => {
    for (const options of variants) {
      const straight = await outputsOf(each, options)
      const turned = await outputsOf(arranged(each, [2, 0, 1]), options)
      close(turned["perExample"], straight["perExample"]!, 1e-5)
      const back = [0, 1, 2].flatMap((row) => [1, 2, 0].map((from) => turned["grad.scores"]![row * 3 + from]!))
      close(back, straight["grad.scores"]!, 1e-5)
    }
  })

  it("do not see a passage whose probability is 0, and give it a gradient of exactly 0", async () => {
    for (const options of variants) {
      const present = [
        [true, true, false],
        [true, true, false],
        [true, true, false],
      ]
      const masked = await outputsOf({ ...each, present }, options)
      const without = await outputsOf(arranged(each, [0, 1]), options)
      close(masked["perExample"], without["perExample"]!, 1e-6)
      const width = each.vocabulary * 4
      for (const row of [0, 1, 2]) {
        assert.equal(Math.abs(masked["grad.scores"]![row * 3 + 2]!), 0)
        const of = masked["grad.logits"]!.slice((row * 3 + 2) * width, (row * 3 + 3) * width)
        assert.ok(of.every((value) => value === 0))
        close(masked["grad.scores"]!.slice(row * 3, row * 3 + 2), without["grad.scores"]!.slice(row * 2, row * 2 + 2))
      }
    }
  })

  it("of a question without any passage are the mean over its places' likelihoods, and finite", async () => {
    const present = [[false, false, false], ...[1, 2].map(() => [true, true, true])]
    for (const options of variants) {
      const found = await outputsOf({ ...arranged(each, [1, 1, 1]), scores: each.scores, present }, options)
      const one = await outputsOf(arranged(each, [1]), options)
      close(found["logLikelihood"], one["logLikelihood"]!, 1e-5)
      assert.deepEqual(found["grad.scores"]!.slice(0, 3).map(Math.abs), [0, 0, 0])
      for (const values of Object.values(found)) assert.ok(values.every(Number.isFinite))
    }
  })

  it("have gradients by the scores of prior less posterior", async () => {
    const sequence = await outputsOf(each, { kind: "sequence", reduction: "sum" })
    const priors = each.scores.map(softmax)
    close(
      sequence["grad.scores"],
      priors.flatMap((prior, row) => prior.map((p, i) => p - sequence["posterior"]![row * 3 + i]!)),
      1e-5,
    )
    const token = await outputsOf(each, { kind: "token", reduction: "sum" })
    close(
      token["grad.scores"],
      priors.flatMap((prior, row) =>
        prior.map((p, i) =>
          each.answers[row]!.reduce(
            (sum, of, t) => sum + (of === padding ? 0 : p - token["posterior"]![(row * 4 + t) * 3 + i]!),
            0,
          ),
        ),
      ),
      1e-5,
    )
  })

  it("count tokens, and divide by what the reduction says", async () => {
    for (const kind of kinds) {
      const by = async (reduction: RagReduction) => outputsOf(each, { kind, reduction })
      const [mean, token, sum] = [await by("mean"), await by("token"), await by("sum")]
      assert.deepEqual(sum["counts"], [4, 2, 3])
      close([mean["loss"]![0]! * 3], sum["loss"]!, 1e-5)
      close([token["loss"]![0]! * 9], sum["loss"]!, 1e-5)
      close(mean["nllPerToken"], token["loss"]!)
      close([-sum["logLikelihood"]!.reduce((a, b) => a + b)], sum["loss"]!, 1e-5)
    }
    const token = await outputsOf(each, { kind: "token" })
    close([sumOf(token["perToken"]!)], [sumOf(token["logLikelihood"]!)], 1e-5)
    assert.equal(token["perToken"]![7], 0)
  })

  it("leave answers without a token out, and are 0 with gradients of 0 where none has one", async () => {
    const none = [padding, padding, padding, padding]
    for (const options of variants) {
      const some = await outputsOf({ ...each, answers: [each.answers[0]!, none, none] }, options)
      const whole = await outputsOf(each, options)
      close(some["loss"], [whole["perExample"]![0]!])
      const empty = await outputsOf({ ...each, answers: [none, none, none] }, options)
      for (const name of ["loss", "perExample", "grad.scores", "grad.logits", "nllPerToken"]) {
        assert.ok(
          empty[name]!.every((value) => value === 0),
          name,
        )
      }
    }
  })

  it("are finite where every token is impossible under every passage", async () => {
    const logits = noise(each.logits.length, 5).map((x) => 30000 * x)
    for (const options of variants) {
      const found = await outputsOf({ ...each, logits }, options)
      for (const [name, values] of Object.entries(found)) assert.ok(values.every(Number.isFinite), name)
    }
  })
})

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

const softmax = (scores: readonly number[]): readonly number[] => {
  const exponentials = scores.map(Math.exp)
  return exponentials.map((value) => value / sumOf(exponentials))
}

/** log p of an answer under the first passage of a question. */
const answerLikelihood = ({ logits, vocabulary, answers, scores }: RagCase, row: number, answer: readonly number[]) => {
  const start = row * scores[0]!.length * answers[0]!.length
  return sumOf(
    answer.map((token, t) => {
      if (token === padding) return 0
      const at = logits.slice((start + t) * vocabulary, (start + t + 1) * vocabulary)
      return at[token]! - Math.log(sumOf(at.map(Math.exp)))
    }),
  )
}

describe("gradients of the losses over passages as derivatives of their values", () => {
  const each = {
    ...random(3, 4),
    present: [
      [true, true, true],
      [true, false, true],
      [true, true, true],
    ],
  }
  const feeds = feedsOf(each)
  const wrt = ["scores", "logits"] as const
  const discrepancy = async (options: Options, graph = graphOf(feeds, options)): Promise<number> => {
    const value = graphOf(feeds, options)
    const gradients = await runWithGradients(graph, feeds, wrt)
    const step = 4e-3
    const errors: number[] = []
    for (const [index, name] of wrt.entries()) {
      const direction = noise(feeds[name].data.length, 5 + index)
      const at = async (factor: number) =>
        (await run(value, { ...feeds, [name]: moved(feeds[name], direction, factor) }))["loss"]![0]!
      const expected = ((await at(step)) - (await at(-step))) / (2 * step)
      const found = inner(gradients[`grad.${name}`]!, direction)
      errors.push(Math.abs(found - expected) / Math.max(Math.abs(expected), 1e-2))
    }
    return Math.max(...errors)
  }

  const compat = [{ kind: "sequence", compat: "huggingface" }] as const
  for (const options of [...kinds.flatMap((kind) => [{ kind }, { kind, epsilon: 0.2 }] as const), ...compat]) {
    it(JSON.stringify(options), async () => {
      const error = await discrepancy(options)
      assert.ok(error < 1e-2, `relative error ${error}`)
    })
  }

  it("are found out where the retriever's scores came back as plain numbers", async () => {
    for (const kind of kinds) {
      const severed = graphOver(feeds, (g, { scores, ...given }) => {
        assert.ok(scores)
        const copy = g.constant(feeds.scores)
        const half = g.mul(g.add(scores, copy), g.scalar(0.5))
        return { loss: lossIn(g, { ...given, scores: half }, { kind }).loss }
      })
      assert.ok((await discrepancy({ kind }, severed)) > 0.1)
      const wholly = graphOver(feeds, (g, given) => ({
        loss: lossIn(g, { ...given, scores: g.constant(feeds.scores) }, { kind }).loss,
      }))
      await assert.rejects(async () => runWithGradients(wholly, feeds, ["scores"]), Disconnected)
    }
  })

  it("are found out where a label is shifted", async () => {
    const targets = int64(
      feeds.targets.dims,
      toNumbers(feeds.targets).map((_, at) => at % 6),
    )
    const shifted = graphOver(feeds, (g, given) => ({
      loss: lossIn(g, { ...given, targets: g.constant(targets) }, { kind: "token" }).loss,
    }))
    assert.ok((await discrepancy({ kind: "token" }, shifted)) > 0.1)
  })
})
