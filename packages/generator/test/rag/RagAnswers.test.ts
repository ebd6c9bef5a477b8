// Answers from several passages, against mixtures that are written out token by token from scores of single prompts.
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  answerFromPassages,
  type LocalGenerator,
  logPriorOf,
  makeLocalGenerator,
  marginalScore,
  type RagRequest,
  streamFromPassages,
} from "@tandem/generator"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { goldenModel, onCpu } from "../support/Golden.ts"

const vocabulary = 96
const ends = [2]
const prompts = [
  [44, 48, 60, 67, 3],
  [44, 48, 11, 12, 13, 3],
  [44, 48, 70],
].map((ids) => ({ ids }))
const request: RagRequest = { prompts, logPrior: logPriorOf([1, 0.5, 0.9], 0.4) }
const other: RagRequest = { prompts: prompts.toReversed(), logPrior: logPriorOf([0.3, 0.1, 0.2], 1) }

const withModel = <A, E>(kind: string, body: (generator: LocalGenerator) => Effect.Effect<A, E>): Promise<A> =>
  onCpu(
    Effect.flatMap(
      Effect.flatMap(goldenModel(kind, ends), (model) => makeLocalGenerator({ model })),
      body,
    ),
  )

/** log p of every token behind a beginning, the passages summed out token by token: by scoring each one alone. */
const mixtureBehind = (generator: LocalGenerator, { prompts: all, logPrior }: RagRequest, ids: readonly number[]) =>
  Effect.map(
    generator.score(Array.from({ length: vocabulary }, (_, id) => ({ prompts: all, answer: { ids: [...ids, id] } }))),
    (scores) =>
      scores.map(
        (each) =>
          marginalScore(
            logPrior,
            each.map(({ perToken }) => perToken.slice(-1)),
            "token",
          ).logprob,
      ),
  )

const close = (found: number, expected: number, what: string) =>
  assert.ok(Math.abs(found - expected) < 1e-4, `${what}: ${found}, expected ${expected}`)

test("worked numbers: one passage for all of an answer, and one for each token", () => {
  const logs = (values: readonly number[]) => values.map(Math.log)
  const likelihoods = [logs([0.9, 0.8, 0.9, 0.8]), logs([0.9, 0.8, 0.9, 0.2])]
  const { logprob, perToken, weights, posterior } = marginalScore(logs([0.6, 0.4]), likelihoods, "sequence")
  close(Math.exp(logprob), 0.36288, "RAG-Sequence")
  close(
    perToken.reduce((sum, each) => sum + each, 0),
    logprob,
    "sum",
  )
  close(posterior[0]!, (0.6 * 0.5184) / 0.36288, "posterior")
  assert.deepEqual(weights.at(-1), posterior)
  const token = marginalScore(logs([0.6, 0.4]), likelihoods, "token")
  close(Math.exp(token.logprob), 0.9 * 0.8 * 0.9 * 0.56, "RAG-Token")
  close(token.weights[3]![0]!, 0.48 / 0.56, "weight of the last token")
  const without = marginalScore([0, Number.NEGATIVE_INFINITY], likelihoods, "sequence")
  close(Math.exp(without.logprob), 0.5184, "a passage of probability 0")
})

for (const kind of ["llama", "t5"]) {
  test(`${kind}: RAG-Token takes the likeliest token of the mixture at each step`, async () => {
    const { answers, expected } = await withModel(kind, (generator) =>
      Effect.gen(function* () {
        const found = yield* answerFromPassages(generator, [request, other], {
          decoding: { kind: "token" },
          maxTokens: 5,
        })
        const wanted: { ids: number[]; logprob: number }[] = []
        for (const each of [request, other]) {
          const ids: number[] = []
          let logprob = 0
          while (ids.length < 5 && !ends.includes(ids.at(-1) ?? -1)) {
            const mixed = yield* mixtureBehind(generator, each, ids)
            logprob += Math.max(...mixed)
            ids.push(mixed.indexOf(Math.max(...mixed)))
          }
          wanted.push({ ids, logprob })
        }
        return { answers: found, expected: wanted }
      }),
    )
    for (const [index, { ids, logprob, tokens, text, posterior }] of answers.entries()) {
      assert.deepEqual(ids, expected[index]!.ids)
      close(logprob, expected[index]!.logprob, "log p")
      assert.equal(tokens.length, ids.length)
      assert.equal(tokens.map((token) => token.text).join(""), text)
      for (const { weights } of tokens)
        close(
          weights.reduce((sum, weight) => sum + weight, 0),
          1,
          "weights",
        )
      close(
        posterior.reduce((sum, weight) => sum + weight, 0),
        1,
        "posterior",
      )
    }
  })
}

test("beams over the mixture, as many as tokens, find the likeliest answer of two tokens", async () => {
  const { found, best } = await withModel("llama", (generator) =>
    Effect.gen(function* () {
      const [answer] = yield* answerFromPassages(generator, [request], {
        decoding: { kind: "token", beams: vocabulary },
        maxTokens: 2,
      })
      const first = yield* mixtureBehind(generator, request, [])
      let likeliest = { ids: ends, score: first[ends[0]!]! }
      for (const [id, before] of first.entries()) {
        if (ends.includes(id)) continue
        const next = yield* mixtureBehind(generator, request, [id])
        const most = Math.max(...next)
        if ((before + most) / 2 > likeliest.score) {
          likeliest = { ids: [id, next.indexOf(most)], score: (before + most) / 2 }
        }
      }
      return { found: answer!, best: likeliest }
    }),
  )
  assert.deepEqual(found.ids, best.ids)
  close(found.logprob, best.score * best.ids.length, "log p")
})

test("RAG-Sequence: the likeliest of what passages wrote, under all of them or under their writers", async () => {
  const { thorough, fast, hypotheses } = await withModel("llama", (generator) =>
    Effect.gen(function* () {
      const decode = (search: "thorough" | "fast") =>
        answerFromPassages(generator, [request], { decoding: { kind: "sequence", beams: 3, search }, maxTokens: 4 })
      const texts = yield* generator.generate(prompts, {
        decoding: { kind: "beam", beams: 3, sequences: 3 },
        maxTokens: 4,
      })
      const all = new Map<string, { ids: readonly number[]; fast: number }>()
      for (const [passage, generations] of texts.entries())
        for (const { ids, logprobs } of generations) {
          const own = Math.exp(request.logPrior[passage]! + logprobs.reduce((sum, each) => sum + each, 0))
          all.set(`${ids}`, { ids, fast: (all.get(`${ids}`)?.fast ?? 0) + own })
        }
      const scored = yield* Effect.forEach(all.values(), (each) =>
        Effect.map(generator.score([{ prompts, answer: { ids: each.ids } }]), ([scores]) => ({
          ...each,
          thorough: Math.exp(
            marginalScore(
              request.logPrior,
              scores!.map(({ perToken }) => perToken),
              "sequence",
            ).logprob,
          ),
        })),
      )
      return { thorough: (yield* decode("thorough"))[0]!, fast: (yield* decode("fast"))[0]!, hypotheses: scored }
    }),
  )
  const most = (name: "fast" | "thorough") => hypotheses.toSorted((a, b) => b[name] - a[name])[0]!
  assert.ok(hypotheses.length > 3)
  assert.deepEqual(thorough.ids, most("thorough").ids)
  assert.deepEqual(fast.ids, most("fast").ids)
  close(Math.exp(thorough.logprob), most("thorough").thorough, "p")
  assert.ok(hypotheses.every((each) => each.fast <= each.thorough + 1e-6))
})

test("one passage is the generator's own answer; a passage without a chance changes nothing; drawing takes one of them", async () => {
  await withModel("llama", (generator) =>
    Effect.gen(function* () {
      const [[own] = []] = yield* generator.generate([prompts[0]!], { maxTokens: 6 })
      const alone: RagRequest = { prompts: [prompts[0]!], logPrior: [0] }
      const never: RagRequest = { prompts: prompts.slice(0, 2), logPrior: [0, -1e30] }
      for (const decoding of [{ kind: "token" }, { kind: "sequence" }, { kind: "draw" }] as const)
        for (const each of [alone, never]) {
          const [answer] = yield* answerFromPassages(generator, [each], { decoding, maxTokens: 6 })
          assert.deepEqual(answer!.ids, own!.ids, decoding.kind)
          close(answer!.logprob, own!.score, decoding.kind)
        }
      const drawn = new Set<string>()
      for (let seed = 0; seed < 12; seed++) {
        const [answer] = yield* answerFromPassages(generator, [request], {
          decoding: { kind: "draw", seed },
          maxTokens: 4,
        })
        drawn.add(`${answer!.ids}`)
      }
      const each = yield* generator.generate(prompts, { maxTokens: 4 })
      assert.ok(drawn.size > 1)
      assert.ok([...drawn].every((ids) => each.some(([one]) => `${one!.ids}` === ids)))
    }),
  )
})

test("what is drawn for a question is decided by it and the seed, not by its place among others", async () => {
  const even = prompts.map(() => -Math.log(prompts.length))
  const requests: readonly RagRequest[] = [
    { prompts, logPrior: even },
    { prompts: [...prompts].reverse(), logPrior: even },
  ]
  await withModel("llama", (generator) =>
    Effect.gen(function* () {
      for (let seed = 0; seed < 6; seed++) {
        const options = { decoding: { kind: "draw", seed }, maxTokens: 3 } as const
        const turned = yield* answerFromPassages(generator, [...requests].reverse(), options)
        for (const [place, each] of requests.entries()) {
          const [alone] = yield* answerFromPassages(generator, [each], options)
          assert.deepEqual(alone!.ids, turned[1 - place]!.ids, `seed ${seed}`)
        }
      }
    }),
  )
})

test("no prompts are refused", async () => {
  const empty: RagRequest = { prompts: [], logPrior: [] }
  for (const kind of ["token", "sequence", "draw"] as const) {
    const answers = withModel("llama", (generator) => answerFromPassages(generator, [empty], { decoding: { kind } }))
    await assert.rejects(answers, { _tag: "InvalidGeneration", field: "prompts" })
  }
})

test("the pieces of an answer are its text, whatever its tokens are", async () => {
  for (const kind of ["llama", "t5"])
    await withModel(kind, (generator) =>
      Effect.gen(function* () {
        const [texts = []] = yield* generator.generate([prompts[0]!], {
          decoding: { kind: "sample", temperature: 4, sequences: 40, seed: 5 },
          maxTokens: 12,
        })
        for (const { ids, text } of texts) {
          const pieces = generator.pieces(ids)
          assert.equal(pieces.length, ids.length)
          assert.equal(pieces.join(""), text)
        }
      }),
    )
})

for (const kind of ["llama", "t5"]) {
  test(`${kind}: an answer is told token by token, and is the one that is given as a whole`, async () => {
    const { parts, whole, begun } = await withModel(kind, (generator) =>
      Effect.gen(function* () {
        const telling = streamFromPassages(generator, request, { maxTokens: 5 })
        // Who leaves after the first token stops the writing, so that others get their turn.
        const begun = yield* Stream.runCollect(Stream.take(telling, 1))
        const parts = yield* Stream.runCollect(telling)
        const [whole] = yield* answerFromPassages(generator, [request], { decoding: { kind: "token" }, maxTokens: 5 })
        return { begun, parts, whole: whole! }
      }),
    )
    const tokens = parts.flatMap((part) => (part.type === "token" ? [part.token] : []))
    const answer = parts.flatMap((part) => (part.type === "done" ? [part.answer] : []))
    assert.equal(answer.length, 1)
    assert.equal(parts.at(-1)?.type, "done")
    assert.deepEqual(begun, parts.slice(0, 1))
    assert.deepEqual(answer[0]!.ids, whole.ids)
    assert.equal(answer[0]!.text, whole.text)
    assert.equal(tokens.map(({ text }) => text).join(""), whole.text)
    close(answer[0]!.logprob, whole.logprob, "log p")
    for (const [at, token] of tokens.entries()) {
      close(token.logprob, whole.tokens[at]!.logprob, `log p of token ${at}`)
      for (const [place, weight] of token.weights.entries())
        close(weight, whole.tokens[at]!.weights[place]!, `weight ${place} of token ${at}`)
    }
    for (const [place, weight] of answer[0]!.posterior.entries()) close(weight, whole.posterior[place]!, "posterior")
  })
}

test("texts that are written at once take turns step by step: nobody waits for another's whole text", async () => {
  const maxTokens = 40
  const found = await withModel("llama", (generator) =>
    Effect.gen(function* () {
      const order: string[] = []
      const begun = yield* Deferred.make<void>()
      const told = (name: string, each: RagRequest) =>
        streamFromPassages(generator, each, { maxTokens }).pipe(
          Stream.tap(() => {
            order.push(name)
            return Deferred.succeed(begun, undefined)
          }),
          Stream.runCollect,
        )
      const asked = [request, other, request, other, request, other]
      const streams = yield* Effect.forkChild(
        Effect.forEach(asked, (each, index) => told(`${index}`, each), { concurrency: "unbounded" }),
      )
      yield* Deferred.await(begun)
      const [batch] = yield* answerFromPassages(generator, [other], { decoding: { kind: "token" }, maxTokens: 3 })
      order.push("batch")
      const parts = yield* Fiber.join(streams)
      const alone = yield* answerFromPassages(generator, [request, other], { decoding: { kind: "token" }, maxTokens })
      return { order, batch, parts, alone }
    }),
  )
  const at = (name: string) => ({ first: found.order.indexOf(name), last: found.order.lastIndexOf(name) })
  assert.ok(at("batch").first < at("0").last, `${found.order}`)
  assert.ok(at("1").first < at("0").last && at("3").first < at("0").last, `${found.order}`)
  // Four are written at once, and those behind them when a place is free.
  assert.ok(at("4").first > Math.min(...["0", "1", "2", "3"].map((name) => at(name).last)), `${found.order}`)
  assert.deepEqual(found.batch!.ids, found.alone[1]!.ids.slice(0, 3))
  for (const [index, parts] of found.parts.entries()) {
    const last = parts.at(-1)
    assert.ok(last?.type === "done")
    assert.deepEqual(last.answer.ids, found.alone[index % 2]!.ids)
  }
})

test("who leaves a stream ends its writing", async () => {
  let steps = 0
  const { left, later } = await onCpu(
    Effect.gen(function* () {
      const model = yield* goldenModel("llama", [])
      // What is written is decoded after each token.
      const tokenizer = new Proxy(model.tokenizer, {
        get: (target, name) => {
          if (name === "decode") steps++
          return Reflect.get(target, name)
        },
      })
      const generator = yield* makeLocalGenerator({ model: { ...model, tokenizer } })
      yield* Stream.runDrain(Stream.take(streamFromPassages(generator, request, { maxTokens: 60 }), 2))
      const left = steps
      yield* Effect.sleep(200)
      return { left, later: steps }
    }),
  )
  assert.ok(left > 0 && left < 30 && later === left, `${left} steps, and ${later} later`)
})
