import type { LanguageModel, ModelError } from "@tandem/models"
import { Effect } from "effect"
import type { Score } from "../Generator.ts"
import { batchesOf } from "./Batches.ts"
import type { Engine } from "./Engine.ts"

/** An answer under several prompts, as token ids. */
export interface TokenRequest {
  readonly prompts: readonly (readonly number[])[]
  readonly answer: readonly number[]
}

export interface ScoreLimits {
  /** Most places of one run, padding included. */
  readonly places: number
}

/** Share of all tokens that has to be saved, or prompts are read whole: attention in two parts moves more memory. */
const leastShared = 1 / 16

/**
 * Likelihoods of answers. What the prompts of a request begin with is computed once where that saves enough; requests of
 * one number of prompts share runs.
 */
export const scoreTokens = Effect.fnUntraced(function* (
  model: LanguageModel,
  engine: Engine,
  requests: readonly TokenRequest[],
  { places }: ScoreLimits,
): Effect.fn.Return<readonly (readonly Score[])[], ModelError> {
  const scores: Score[][] = requests.map(() => [])
  if (model.kind === "seq2seq") {
    const items = requests.flatMap(({ prompts, answer }, request) =>
      prompts.map((prompt, place) => ({ request, place, prompt, answer })),
    )
    const lengths = items.map(({ prompt, answer }) => Math.max(prompt.length, answer.length + 1))
    for (const batch of batchesOf(lengths, { members: places, places, uneven: true })) {
      const members = batch.map((index) => items[index]!)
      const found = yield* Effect.scoped(
        Effect.gen(function* () {
          const { score } = yield* engine.read(members.map(({ prompt }) => prompt))
          const rows = members.map(({ answer }) => ({ ids: [model.startTokenId, ...answer], start: 0 }))
          return yield* score(
            rows,
            members.map(({ answer }) => answer.length),
          )
        }),
      )
      for (const [index, { request, place }] of members.entries()) scores[request]![place] = scoreOf(found[index]!)
    }
    return scores
  }
  const cuts = requests.map((request) => (engine.sharesPrefixes ? sharedBeginning(request) : 0))
  const alikes = Map.groupBy(requests.keys(), (index) => `${requests[index]!.prompts.length} ${cuts[index]! > 0}`)
  for (const alike of alikes.values()) {
    const members = requests[alike[0]!]!.prompts.length
    const isShared = cuts[alike[0]!]! > 0
    if (members === 0) continue
    const lengths = alike.map((index) => {
      const { prompts, answer } = requests[index]!
      return prompts.reduce((longest, { length }) => Math.max(longest, length), 0) - cuts[index]! + answer.length
    })
    for (const batch of batchesOf(lengths, { members: places, places: places / members, uneven: true })) {
      const chosen = batch.map((at) => alike[at]!)
      const rows = chosen.flatMap((index) => {
        const { prompts, answer } = requests[index]!
        return prompts.map((prompt) => ({ ids: [...prompt.slice(cuts[index]), ...answer], start: cuts[index]! }))
      })
      const targets = chosen.flatMap((index) => requests[index]!.prompts.map(() => requests[index]!.answer.length))
      const found = yield* Effect.scoped(
        Effect.gen(function* () {
          const shared = chosen.map((index) => requests[index]!.prompts[0]!.slice(0, cuts[index]))
          const { score } = isShared ? yield* engine.read(shared) : engine
          return yield* score(rows, targets)
        }),
      )
      let at = 0
      for (const index of chosen) scores[index] = requests[index]!.prompts.map(() => scoreOf(found[at++]!))
    }
  }
  return scores
})

const scoreOf = (perToken: readonly number[]): Score => ({
  perToken,
  logprob: perToken.reduce((sum, each) => sum + each, 0),
})

/** How many tokens all prompts of a request begin with, without the last one of any; 0 where that saves too little. */
const sharedBeginning = ({ prompts, answer }: TokenRequest): number => {
  const [first = []] = prompts
  if (prompts.length < 2) return 0
  const limit = Math.min(...prompts.map(({ length }) => length)) - 1
  let length = 0
  while (length < limit && prompts.every((prompt) => prompt[length] === first[length])) length++
  const all = prompts.reduce((sum, prompt) => sum + prompt.length + answer.length, 0)
  return length * (prompts.length - 1) < leastShared * all ? 0 : length
}
