import { type ExportFormat, leavesFormats, leavesThoughts } from "./ExportFormat.ts"
import { jsonLine, trainedEnds } from "./Messages.ts"

/** LLaMA-Factory's ShareGPT: a line for each trained answer, which ends in it; `mask_history: true` trains the last turn alone. */
export const shareGpt: ExportFormat = {
  reader: "LLaMA-Factory, `formatting: sharegpt`, with `mask_history: true`",
  lines: ({ system, turns }) =>
    trainedEnds(turns).map((end) =>
      jsonLine({
        system,
        conversations: turns
          .slice(0, end)
          .map(({ role, text }) => ({ from: role === "user" ? "human" : "gpt", value: text })),
      }),
    ),
  cannot: ({ train_on_questions }) => [
    "a mask for each turn: an answer is a line of its own, of which `mask_history: true` trains the last turn",
    ...(train_on_questions ? ["trained questions: `train_on_prompt` would train earlier items, too"] : []),
    leavesFormats,
    leavesThoughts,
  ],
}
