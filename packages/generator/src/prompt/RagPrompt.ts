import { Schema } from "effect"
import { InvalidTemplate } from "../Errors.ts"
import { checkTemplate, type RagTemplate } from "./RagTemplate.ts"

/** How a generator was trained to be asked: what `generator/rag.json` holds. */
export interface RagPrompt {
  readonly template: RagTemplate
  /** Most tokens of a prompt. */
  readonly maxPrompt: number
  /** Most tokens of an answer, with the one that ends it. */
  readonly maxAnswer: number
}

const count = Schema.Int.check(Schema.isGreaterThan(0))
const day = Schema.String.check(Schema.isPattern(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/))
const passage = Schema.optionalKey(Schema.String)

const Json = Schema.Struct({
  format: Schema.Literal(1),
  template: Schema.Union([
    Schema.Struct({ kind: Schema.Literal("text"), text: Schema.String, passage }),
    Schema.Struct({
      kind: Schema.Literal("chat"),
      system: Schema.optionalKey(Schema.String),
      user: Schema.String,
      passage,
      variables: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
      date: Schema.optionalKey(day),
    }),
  ]),
  maxPrompt: count,
  maxAnswer: count,
})

const decode = Schema.decodeUnknownSync(Json)

/**
 * The settings in a parsed `rag.json`. What is missing, unknown or no template ends in `InvalidTemplate`.
 */
export const readRagPrompt = (json: unknown, file = "rag.json"): RagPrompt => {
  const { template, maxPrompt, maxAnswer } = attempt(json, file)
  checkTemplate(template, file)
  return { template, maxPrompt, maxAnswer }
}

const attempt = (json: unknown, file: string) => {
  try {
    return decode(json, { onExcessProperty: "error" })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new InvalidTemplate({
      message: `${file} does not say how prompts are made: ${reason}`,
      file,
      hint: "it is written beside a generator that was trained; take the one of this version",
    })
  }
}

/** What `rag.json` holds, to be read back by `readRagPrompt`. */
export const ragPromptJson = ({ template, maxPrompt, maxAnswer }: RagPrompt): Readonly<Record<string, unknown>> => ({
  format: 1,
  template,
  maxPrompt,
  maxAnswer,
})
