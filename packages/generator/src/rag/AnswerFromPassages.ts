import { Random } from "@tandem/random"
import { Effect, type Stream } from "effect"
import { InvalidGeneration } from "../Errors.ts"
import type {
  Finish,
  Generation,
  GenerationPart,
  GeneratorError,
  GeneratorShape,
  ModelInput,
  ScoreRequest,
} from "../Generator.ts"
import { logSumExp, type Mixture, marginalScore } from "./Marginal.ts"

/** A question with each of its passages. */
export interface RagRequest {
  /** One prompt for each passage. */
  readonly prompts: readonly ModelInput[]
  /** log p(passage | question) of each, nats; sums to 1. */
  readonly logPrior: readonly number[]
}

/** How an answer is found. */
export type RagDecoding =
  /**
   * RAG-Token: at each step the likeliest token of the distributions that all passages' prompts give, weighed by their
   * prior; with `beams` above 1 beam search over that mixture. A local generator alone does it.
   */
  | { readonly kind: "token"; readonly beams?: number }
  /**
   * RAG-Sequence: each passage's prompt writes its own answers (greedily, or by beam search), of which the one is taken that
   * is likeliest under the mixture. `thorough` scores every answer under every passage; `fast` takes an answer as impossible
   * under a passage that did not write it.
   */
  | { readonly kind: "sequence"; readonly beams?: number; readonly search?: "thorough" | "fast" }
  /**
   * A passage is drawn by its prior, and the answer written from it alone. Equal seeds draw the same passage of a request,
   * whatever stands beside it in its batch.
   */
  | { readonly kind: "draw"; readonly seed?: number }

export interface RagOptions {
  /** RAG-Sequence, `fast`, where absent. */
  readonly decoding?: RagDecoding
  /** Most tokens of an answer; 64 where absent. */
  readonly maxTokens?: number
}

/** A token of an answer. */
export interface RagToken {
  readonly text: string
  /** log p of it with the passages summed out, nats. */
  readonly logprob: number
  /** What each passage contributes to it; sums to 1. */
  readonly weights: readonly number[]
}

/** An answer from several passages. */
export interface RagAnswer {
  /** Without special tokens. */
  readonly text: string
  readonly ids: readonly number[]
  /** The ending one included. */
  readonly tokens: readonly RagToken[]
  /** log p(answer | question) under the mixture: of RAG-Token where that wrote it, else of RAG-Sequence. */
  readonly logprob: number
  /** How much each passage explains of it; sums to 1. */
  readonly posterior: readonly number[]
  readonly finish: Finish
}

/** A token of an answer that is being written from a mixture. */
export interface MixedPart extends GenerationPart {
  /** log p of the token behind each prompt, nats. */
  readonly perPrompt: readonly number[]
}

/** What answers are made with: a local generator also writes from a mixture of prompts. */
export interface RagGenerator extends Pick<GeneratorShape, "score" | "generate"> {
  readonly mix: (
    requests: readonly RagRequest[],
    options: { readonly beams: number; readonly maxTokens: number },
  ) => Effect.Effect<readonly Generation[], GeneratorError>
  /** One answer from a mixture of prompts while it is written greedily, as `mix` with one beam does. */
  readonly mixed: (
    request: RagRequest,
    options: { readonly maxTokens: number },
  ) => Stream.Stream<MixedPart, GeneratorError>
  /** A text's tokens as they are shown, in order. */
  readonly pieces: (ids: readonly number[]) => readonly string[]
}

/**
 * Answers questions from several passages each, with where every token comes from. Whatever wrote an answer, it is scored
 * once more under all passages, so that its probability is that of the mixture.
 *
 * @see Lewis et al., Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks, 2020, section 2.5
 */
export const answerFromPassages = Effect.fn("generator.answerFromPassages")(function* (
  generator: RagGenerator,
  requests: readonly RagRequest[],
  { decoding = { kind: "sequence" }, maxTokens = 64 }: RagOptions = {},
): Effect.fn.Return<readonly RagAnswer[], GeneratorError> {
  if (requests.some(({ prompts }) => prompts.length === 0)) {
    return yield* new InvalidGeneration({
      message: "there is no prompt to answer from",
      field: "prompts",
      expected: "one for each passage, and one without where there is no passage",
      found: "none",
    })
  }
  const written = yield* write(generator, requests, decoding, maxTokens)
  const scores = yield* generator.score(
    requests.map(({ prompts }, index) => ({ prompts, answer: { ids: written[index]!.ids } })),
  )
  const mixture: Mixture = decoding.kind === "token" ? "token" : "sequence"
  return written.map((each, index) =>
    scoredAnswer(generator, each, {
      logPrior: requests[index]!.logPrior,
      perPassage: scores[index]!.map(({ perToken }) => perToken),
      mixture,
    }),
  )
})

/** What was written, with its likelihood under the mixture. */
export const scoredAnswer = (
  { pieces }: Pick<RagGenerator, "pieces">,
  { text, ids, finish }: Pick<RagAnswer, "text" | "ids" | "finish">,
  {
    logPrior,
    perPassage,
    mixture,
  }: {
    readonly logPrior: readonly number[]
    readonly perPassage: readonly (readonly number[])[]
    readonly mixture: Mixture
  },
): RagAnswer => {
  const found = marginalScore(logPrior, perPassage, mixture)
  return {
    text,
    ids,
    finish,
    logprob: found.logprob,
    posterior: found.posterior,
    tokens: pieces(ids).map((piece, token) => ({
      text: piece,
      logprob: found.perToken[token]!,
      weights: found.weights[token]!,
    })),
  }
}

const write = Effect.fnUntraced(function* (
  generator: RagGenerator,
  requests: readonly RagRequest[],
  decoding: RagDecoding,
  maxTokens: number,
): Effect.fn.Return<readonly Generation[], GeneratorError> {
  switch (decoding.kind) {
    case "token":
      return yield* generator.mix(requests, { beams: decoding.beams ?? 1, maxTokens })
    case "draw": {
      const drawn = requests.map((request) => request.prompts[drawFrom(request, decoding.seed ?? 0)]!)
      const generations = yield* generator.generate(drawn, { maxTokens })
      return generations.map(([one]) => one!)
    }
    case "sequence": {
      const { beams = 1, search = "fast" } = decoding
      const all = requests.flatMap(({ prompts }) => prompts)
      const generations = yield* generator.generate(all, {
        maxTokens,
        decoding: beams === 1 ? { kind: "greedy" } : { kind: "beam", beams, sequences: beams },
      })
      let at = 0
      const hypotheses = requests.map(({ prompts, logPrior }) =>
        union(
          prompts.map(() => generations[at++]!),
          logPrior,
        ),
      )
      if (search === "thorough") return yield* likeliest(generator, requests, hypotheses)
      return hypotheses.map((each) => each.reduce((best, one) => (one.fast > best.fast ? one : best)).generation)
    }
  }
})

/** An answer that some passages' prompts wrote. */
interface Hypothesis {
  readonly generation: Generation
  /** log Σ_i p_i p(y | z_i), i over the passages whose prompts wrote it. */
  readonly fast: number
}

/** Different answers of all passages, in the passages' order. */
const union = (byPassage: readonly (readonly Generation[])[], logPrior: readonly number[]): readonly Hypothesis[] => {
  const found = new Map<string, { readonly generation: Generation; readonly parts: number[] }>()
  for (const [passage, generations] of byPassage.entries())
    for (const generation of generations) {
      const key = generation.ids.join()
      const known = found.get(key) ?? { generation, parts: [] }
      found.set(key, known)
      known.parts.push(logPrior[passage]! + generation.logprobs.reduce((sum, each) => sum + each, 0))
    }
  return [...found.values()].map(({ generation, parts }) => ({ generation, fast: logSumExp(parts) }))
}

/** The hypothesis of each request that is likeliest once it is scored under all passages. */
const likeliest = Effect.fnUntraced(function* (
  generator: RagGenerator,
  requests: readonly RagRequest[],
  hypotheses: readonly (readonly Hypothesis[])[],
): Effect.fn.Return<readonly Generation[], GeneratorError> {
  const asked = hypotheses.flatMap((each, request) =>
    each.map(
      ({ generation }): ScoreRequest => ({ prompts: requests[request]!.prompts, answer: { ids: generation.ids } }),
    ),
  )
  const scores = yield* generator.score(asked)
  let at = 0
  return hypotheses.map((each, request) => {
    const { logPrior } = requests[request]!
    const sums = each.map(() => logSumExp(scores[at++]!.map(({ logprob }, passage) => logPrior[passage]! + logprob)))
    return each[sums.indexOf(Math.max(...sums))]!.generation
  })
})

/** A passage, as likely as its prior says; decided by the seed and the prompts, whatever is answered beside them. */
const drawFrom = ({ prompts, logPrior }: RagRequest, seed: number): number => {
  let rest = Random.fromSeed(seed).derive("passage", JSON.stringify(prompts)).next()
  for (const [passage, each] of logPrior.entries()) {
    rest -= Math.exp(each)
    if (rest < 0) return passage
  }
  return logPrior.indexOf(Math.max(...logPrior))
}
