import { type InstructionExample, segmentTokens } from "@tandem/datasets"
import { chatTemplateOf, conversationTokens, InvalidPrompt, type LabelledTokens, type Prompts } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { Effect } from "effect"

/** A text that a model learns parts of, as token ids: what stands before the first such part, and all from there on. */
export interface LabelledText {
  readonly id: string
  readonly prompt: readonly number[]
  readonly answer: readonly number[]
  /** Which tokens of `answer` are learned. */
  readonly labels: readonly boolean[]
  /** What the text counts for. */
  readonly weight: number
  /** Whether retrieval failed for the context that it shows, where its row says so: `metadata.failed`. */
  readonly failed?: boolean
}

type Asking = Pick<Prompts, "prompt" | "answer" | "settings">

/**
 * Instructions as token ids. A conversation is laid out by the model's chat template (`conversationTokens`); one question
 * and its answer by `prompts` without passages, where the model has none. Segments stand as they are, each tokenized by
 * itself. A text is never cut: one that is longer than prompt and answer may be, or that the template cannot write, is left
 * out and counted. `InvalidPrompt` where none is left.
 */
export const labelledTexts = (
  model: LanguageModel,
  prompts: Asking,
  examples: readonly InstructionExample[],
): Effect.Effect<{ readonly texts: readonly LabelledText[]; readonly warnings: readonly string[] }, InvalidPrompt> =>
  Effect.suspend(() => {
    let first: InvalidPrompt | undefined
    const texts = examples.flatMap((example): readonly LabelledText[] => {
      try {
        return [labelledText(model, prompts, example)]
      } catch (cause) {
        if (!(cause instanceof InvalidPrompt)) throw cause
        first ??= cause
        return []
      }
    })
    if (first === undefined) return Effect.succeed({ texts, warnings: [] })
    if (texts.length === 0) return Effect.fail(first)
    const left = examples.length - texts.length
    return Effect.succeed({
      texts,
      warnings: [`${left} of ${examples.length} instructions were left out: ${first.message}`],
    })
  })

const labelledText = (model: LanguageModel, prompts: Asking, example: InstructionExample): LabelledText => {
  const { ids, labels } =
    example.kind === "segments"
      ? segmentLabels(model, example.segments)
      : conversationLabels(model, prompts, example.messages)
  // Nothing predicts the first token.
  const from = labels.indexOf(true, 1)
  if (from < 0) throw new InvalidPrompt({ message: "a text has no token that is learned behind its first" })
  const longest = Math.min(model.maxLength, prompts.settings.maxPrompt + prompts.settings.maxAnswer)
  if (ids.length > longest) {
    throw new InvalidPrompt({
      message: "a text is longer than `maxPrompt` and `maxAnswer` together",
      field: "maxPrompt",
      expected: `at most ${longest} tokens`,
      found: `${ids.length} tokens`,
    })
  }
  const { id, weight = 1, metadata } = example
  const failed = metadata?.["failed"]
  return {
    ...{ id, prompt: ids.slice(0, from), answer: ids.slice(from), labels: labels.slice(from), weight },
    ...(typeof failed === "boolean" ? { failed } : {}),
  }
}

type Of<Kind extends InstructionExample["kind"]> = Extract<InstructionExample, { readonly kind: Kind }>

const segmentLabels = ({ tokenizer }: LanguageModel, segments: Of<"segments">["segments"]): LabelledTokens => {
  const { ids, trained } = segmentTokens(segments, (text) => tokenizer.encode(text, { specialTokens: false }).ids)
  return { ids, labels: trained }
}

const conversationLabels = (
  model: LanguageModel,
  prompts: Asking,
  messages: Of<"messages">["messages"],
): LabelledTokens => {
  const [question, answer] = messages
  const isSingle = messages.length === 2 && question?.role === "user" && answer?.trained === true
  const { template } = prompts.settings
  if (!isSingle || chatTemplateOf(model.tokenizer) !== undefined)
    return conversationTokens(model, messages, template.kind === "chat" ? template : {})
  const prompt = prompts.prompt(question.content, []).ids
  const { ids } = prompts.answer(answer.content)
  return { ids: [...prompt, ...ids], labels: [...prompt.map(() => false), ...ids.map(() => true)] }
}
