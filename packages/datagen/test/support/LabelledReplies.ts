import { readFileSync } from "node:fs"
import type { Chunk, Conversation } from "../../src/index.ts"
import type { Shown } from "../golden/verification/Faults.ts"
import type { Labelled } from "../golden/verification/make.ts"

/** A reply of the labelled set as a conversation. */
export interface LabelledConversation {
  readonly id: string
  /** `good`, or the fault that was planted. */
  readonly label: string
  readonly behaviour: "from_memory" | "abstain"
  readonly conversation: Conversation
}

/** The 200 labelled replies of `golden/verification/verification.jsonl`. */
export const labelledConversations = (): readonly LabelledConversation[] =>
  readFileSync(new URL("../golden/verification/verification.jsonl", import.meta.url), "utf8")
    .trimEnd()
    .split("\n")
    .map((line): LabelledConversation => {
      const { id, label, behaviour, failed, shown, truth, turns }: Labelled = JSON.parse(line)
      const [chunk] = truth.map(chunkOf)
      return {
        id,
        label,
        behaviour,
        conversation: { item: { key: id, chunk: chunk!, shown: shown.map(chunkOf), failed }, turns },
      }
    })

/** Chunks with a name of their own, such as those of another edition, lie far from the others. */
const chunkOf = ({ id, source, text }: Shown): Chunk => {
  const number = /#(\d)$/.exec(id)?.[1]
  const index = number === undefined ? 9 : Number(number)
  return { id, source, document: source, index, text, start: 10_000 * index, end: 10_000 * index + text.length }
}
