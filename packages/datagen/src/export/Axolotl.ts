import { segmentsLine } from "../format/TrainingRows.ts"
import { type ExportFormat, leavesFormats, leavesThoughts } from "./ExportFormat.ts"
import { jsonLine, messagesOf } from "./Messages.ts"

/** Axolotl's `input_output`: every mask as it is. */
export const axolotl: ExportFormat = {
  reader: "Axolotl, `type: input_output`",
  lines: (row) => [segmentsLine(row)],
  cannot: () => [],
}

/**
 * Axolotl's `chat_template` with a `train` for each message: `message_field_training: train`, `roles_to_train: []`,
 * `train_on_eos: turn`.
 */
export const chatTemplate: ExportFormat = {
  reader: "Axolotl, `type: chat_template`, `message_field_training: train`, `roles_to_train: []`",
  lines: (row) => [
    jsonLine({
      messages: messagesOf(row).map((message, at) => ({ ...message, train: row.turns[at - 1]?.trained ?? false })),
    }),
  ],
  cannot: () => [leavesFormats, leavesThoughts],
}
