import type { RowSegment } from "../format/TrainingRows.ts"
import type { ExportFormat } from "./ExportFormat.ts"
import { jsonLine } from "./Messages.ts"

/** A text that is read, and the one behind it that is learned. */
interface PromptCompletion {
  readonly prompt: string
  readonly completion: string
}

/** A line for each run of trained segments: all that stands before it is its prompt. */
const spansOf = (segments: readonly RowSegment[]): readonly PromptCompletion[] => {
  const spans: PromptCompletion[] = []
  let [prompt, completion] = ["", ""]
  for (const { label, text } of [...segments, { label: false, text: "" }]) {
    if (label) completion += text
    else {
      if (completion !== "") spans.push({ prompt, completion })
      prompt += completion + text
      completion = ""
    }
  }
  return spans
}

/** TRL's prompt and completion, as texts: `SFTTrainer` trains on the completion alone. */
export const trl: ExportFormat = {
  reader: "TRL, `SFTTrainer` with `completion_only_loss`",
  lines: ({ segments }) => spansOf(segments).map(jsonLine),
  cannot: () => [
    "several trained spans in one text: each is a line of its own, behind all that stands before it",
    "where segments end: TRL tokenizes a prompt together with its completion, and puts an end of sequence behind it",
  ],
}
