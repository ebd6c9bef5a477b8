import type { InstructionExample } from "@tandem/datasets"
import type { LanguageModel } from "@tandem/models"
import { SettingsError } from "@tandem/runs"
import { Effect } from "effect"

/** Refuses texts that stand alone where a model cannot take them: an encoder-decoder has no parts of a text to learn. */
export const refuseTexts = (
  model: Pick<LanguageModel, "kind">,
  field: "data" | "dev",
  files: readonly string[],
): Effect.Effect<void, SettingsError> =>
  model.kind !== "seq2seq"
    ? Effect.void
    : Effect.fail(
        new SettingsError({
          message: "an encoder-decoder reads a text and writes another, so it cannot learn parts of one",
          field,
          file: files.join(", "),
          expected: "questions with answers; or a decoder",
          found: "conversations or texts in segments",
        }),
      )

/** The texts themselves, of which word pieces of a tiny model are made. */
export const wordsOf = (examples: readonly InstructionExample[]): readonly string[] =>
  examples.flatMap((example) =>
    example.kind === "segments"
      ? example.segments.map(({ text }) => text)
      : example.messages.map(({ content }) => content),
  )
