import { Stream } from "effect"
import type { GeneratorError } from "../Generator.ts"
import {
  type RagAnswer,
  type RagGenerator,
  type RagRequest,
  type RagToken,
  scoredAnswer,
} from "./AnswerFromPassages.ts"
import { logSumExp } from "./Marginal.ts"

/** What happens while an answer is written: its tokens, and at the end all of it. */
export type RagPart =
  | { readonly type: "token"; readonly token: RagToken }
  | { readonly type: "done"; readonly answer: RagAnswer }

/** An answer so far. */
interface Written {
  readonly text: string
  readonly ids: readonly number[]
  readonly perToken: readonly (readonly number[])[]
}

/**
 * Answers one question greedily from several passages (RAG-Token with one beam) and tells each token as soon as it is chosen,
 * with what every passage contributes to it. A token's text is what has become certain with it, so that some are empty; all
 * together are the answer. Whoever stops listening stops the writing.
 */
export const streamFromPassages = (
  generator: Pick<RagGenerator, "mixed" | "pieces">,
  request: RagRequest,
  { maxTokens = 64 }: { readonly maxTokens?: number } = {},
): Stream.Stream<RagPart, GeneratorError> =>
  generator.mixed(request, { maxTokens }).pipe(
    Stream.mapAccum(
      (): Written => ({ text: "", ids: [], perToken: [] }),
      (before, { text, ids, perPrompt, finish }) => {
        const { logPrior } = request
        const written = {
          text: before.text + text,
          ids: [...before.ids, ...ids],
          perToken: [...before.perToken, perPrompt],
        }
        const sums = logPrior.map((prior, passage) => prior + perPrompt[passage]!)
        const logprob = logSumExp(sums)
        const weights = sums.map((sum) => Math.exp(sum - logprob))
        const parts: RagPart[] = [{ type: "token", token: { text, logprob, weights } }]
        if (finish !== undefined) {
          const perPassage = logPrior.map((_, passage) => written.perToken.map((row) => row[passage]!))
          const answer = scoredAnswer(generator, { ...written, finish }, { logPrior, perPassage, mixture: "token" })
          parts.push({ type: "done", answer })
        }
        return [written, parts] as const
      },
    ),
  )
