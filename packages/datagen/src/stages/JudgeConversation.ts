import { Effect, Result, Schema } from "effect"
import type { Conversation } from "../Item.ts"
import { askFor } from "../model/AskFor.ts"
import type { Exchange, Model, ModelFailure } from "../model/Model.ts"
import { jsonObjectsIn } from "../model/Reply.ts"
import type { DatagenPrompts } from "../prompt/Prompts.ts"
import type { Finding } from "../verify/Finding.ts"
import { correcting, seedOf } from "./Filter.ts"

/** What a model found about a conversation, with all that was said. */
export interface Judged {
  readonly findings: readonly Finding[]
  readonly exchanges: readonly Exchange[]
}

export interface JudgeOptions {
  readonly prompts: Pick<DatagenPrompts, "rag_judge" | "rag_correction">
  readonly seed: number
  /** Most times that the model is told what was wrong. */
  readonly corrections: number
}

/** The judgement's form as endpoints take it. */
const judgementFormat = {
  kind: "schema",
  name: "judgement",
  schema: {
    type: "object",
    properties: { reason: { type: "string" }, grounded: { type: "boolean" } },
    required: ["reason", "grounded"],
    additionalProperties: false,
  },
} as const

const decode = Schema.decodeUnknownResult(
  Schema.Struct({ grounded: Schema.Boolean, reason: Schema.optional(Schema.String) }),
)

const readJudgement = (reply: string) => {
  const read = jsonObjectsIn(reply).flatMap((value) => {
    const result = decode(value)
    return Result.isSuccess(result) ? [result.success] : []
  })
  const last = read.at(-1)
  return last === undefined
    ? Result.fail('it holds no JSON object {"reason": text, "grounded": true or false}')
    : Result.succeed(last)
}

/**
 * Has a model judge whether all answers are grounded in what was shown. A conversation whose retrieval failed rests on nothing
 * that was shown and is passed over; one that the model gives no judgement on is faulty.
 */
export const judgeConversation = (
  model: Model,
  { item, turns }: Conversation,
  options: JudgeOptions,
): Effect.Effect<Judged, ModelFailure> => {
  if (item.failed) return Effect.succeed({ findings: [], exchanges: [] })
  const chunks = item.shown.map(({ text, source, heading = "" }) => ({ text, source, heading }))
  const messages = options.prompts.rag_judge.render({
    chunks,
    turns: turns.map(({ role, text }) => ({ role, text })),
  })
  return askFor(model, {
    messages,
    format: judgementFormat,
    seed: seedOf(options.seed, item.key),
    read: readJudgement,
    ...correcting(options),
  }).pipe(
    Effect.map(({ answer, exchanges }) => ({
      exchanges,
      findings: Result.match(answer, {
        onFailure: (problem): readonly Finding[] => [{ check: "ungrounded", detail: `no judgement: ${problem}` }],
        onSuccess: ({ grounded, reason = "" }): readonly Finding[] =>
          grounded ? [] : [{ check: "ungrounded", detail: reason }],
      }),
    })),
  )
}
