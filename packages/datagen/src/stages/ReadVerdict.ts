import { Result, Schema } from "effect"
import { jsonObjectsIn } from "../model/Reply.ts"

/** Whether a chunk is fit for questions, and why. */
export interface Verdict {
  readonly suitable: boolean
  readonly reason: string
}

/** The verdict's form as endpoints take it. */
export const verdictFormat = {
  kind: "schema",
  name: "verdict",
  schema: {
    type: "object",
    properties: { reason: { type: "string" }, suitable: { type: "boolean" } },
    required: ["reason", "suitable"],
    additionalProperties: false,
  },
} as const

const decode = Schema.decodeUnknownResult(
  Schema.Struct({
    suitable: Schema.Union([Schema.Boolean, Schema.Literals(["true", "false", "yes", "no"])]),
    reason: Schema.optional(Schema.Unknown),
  }),
)

/**
 * The verdict of a reply: the last JSON object that is one, never a word that stands somewhere. A reply without one is a
 * problem, which is told.
 */
export const readVerdict = (reply: string): Result.Result<Verdict, string> => {
  const verdicts = jsonObjectsIn(reply).flatMap((value): readonly Verdict[] => {
    const result = decode(value)
    if (Result.isFailure(result)) return []
    const { suitable, reason } = result.success
    return [
      {
        suitable: suitable === true || suitable === "true" || suitable === "yes",
        reason: typeof reason === "string" ? reason : "",
      },
    ]
  })
  const last = verdicts.at(-1)
  return last === undefined
    ? Result.fail('it holds no JSON object {"reason": text, "suitable": true or false}')
    : Result.succeed(last)
}
