import { type ExportFormat, leavesFormats, leavesThoughts } from "./ExportFormat.ts"
import { jsonLine, messagesOf } from "./Messages.ts"

/** OpenAI's fine-tuning: messages, with `weight` 0 or 1 at the assistant's. */
export const openAi: ExportFormat = {
  reader: "OpenAI's fine-tuning and what reads its files, such as `tandem ralt train`",
  lines: (row) => [
    jsonLine({
      messages: messagesOf(row).map((message, at) =>
        message.role === "assistant" ? { ...message, weight: row.turns[at - 1]?.trained === true ? 1 : 0 } : message,
      ),
    }),
  ],
  cannot: ({ train_on_questions }) => [
    ...(train_on_questions ? ["trained questions: a `weight` stands at the assistant's messages alone"] : []),
    leavesFormats,
    leavesThoughts,
  ],
}
