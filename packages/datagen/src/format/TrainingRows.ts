import { Random } from "@tandem/random"
import type { DatagenSettings } from "../DatagenSettings.ts"
import type { Conversation, Turn } from "../Item.ts"
import { type FormatSettings, type RowFormats, rowFormats } from "./RowFormats.ts"
import { shownPassages } from "./ShownPassages.ts"

/** A piece of a row's text; `label` true where it is trained on. */
export interface RowSegment {
  readonly label: boolean
  readonly text: string
}

/** A turn in a row. */
export interface RowTurn extends Turn {
  /** Whether the model learns to say it. */
  readonly trained: boolean
}

/** What is learned from one item: its conversation behind those of earlier items of its group. */
export interface TrainingRow {
  /** {@link Item.key} of the item that is learned. */
  readonly key: string
  /** Whether retrieval failed for it. */
  readonly failed: boolean
  /** The drawn prompt with the item's passages in it. */
  readonly system: string
  /** All turns, those of earlier items first. */
  readonly turns: readonly RowTurn[]
  /** The same, as the formats write it. */
  readonly segments: readonly RowSegment[]
  /** How many of these, the last ones, are of the item itself. */
  readonly own: { readonly turns: number; readonly segments: number }
}

/** The settings that decide rows. */
export type RowSettings = FormatSettings &
  Pick<DatagenSettings["system"], "num_items_per_group" | "train_on_questions" | "train_on_thoughts" | "seed">

/** Makes rows of conversations. */
export interface RowMaker {
  /**
   * The rows of a group: one for each of its items, in their order. A row begins with the system's turn, which holds the
   * item's own passages; then come the conversations of earlier items, masked, and the item's own, trained. A row in which
   * nothing is trained is left out.
   */
  readonly rows: (group: readonly Conversation[]) => readonly TrainingRow[]
  /** Items of a group. */
  readonly size: number
}

/**
 * Makes training rows as settings say: which prompt a row begins with is drawn by the seed and the item's key alone.
 * Settings whose templates cannot be used end in `InvalidTemplate`.
 *
 * @example
 * ```ts
 * import { rowMaker } from "@tandem/datagen"
 *
 * const chunk = { id: "c1", source: "pump.md", document: "d", index: 0, text: "Prime it first.", start: 0, end: 15 }
 * const item = { key: "c1", chunk, shown: [chunk], failed: false }
 * const { rows } = rowMaker({
 *   final_assistant_prompts: ["Use these passages:\n{data}"],
 *   system_format: "{{ system }}\n",
 *   user_format: "User: {{ user }}\n",
 *   assistant_format: "Assistant: {{ assistant }}</s>",
 *   bos: "<s>",
 *   num_items_per_group: 3,
 *   train_on_questions: false,
 *   train_on_thoughts: false,
 *   seed: 0,
 * })
 * const [row] = rows([
 *   { item, turns: [{ role: "user", text: "What first?" }, { role: "assistant", text: "Prime it." }] },
 * ])
 * console.log(row?.segments.map(({ label }) => label)) // [ false, false, true ]
 * ```
 */
export const rowMaker = (settings: RowSettings): RowMaker => {
  const formats = rowFormats(settings)
  return {
    size: settings.num_items_per_group,
    rows: (group) =>
      group
        .map((own, at) => rowOf(own, group.slice(0, at), formats, settings))
        .filter(({ segments }) => segments.some(({ label, text }) => label && text.trim() !== "")),
  }
}

/** Conversations that come one after another in groups of so many; the last group may be smaller. */
export async function* groupsOf(
  conversations: AsyncIterable<Conversation> | Iterable<Conversation>,
  size: number,
): AsyncGenerator<readonly Conversation[]> {
  let group: Conversation[] = []
  for await (const conversation of conversations) {
    group.push(conversation)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/** The rows of conversations that come one after another, in groups of so many as settings say. */
export async function* trainingRows(
  conversations: AsyncIterable<Conversation> | Iterable<Conversation>,
  { rows, size }: RowMaker,
): AsyncGenerator<TrainingRow> {
  for await (const group of groupsOf(conversations, size)) yield* rows(group)
}

/** A row as Axolotl's `input_output` takes it, a line of JSON. */
export const segmentsLine = ({ segments }: Pick<TrainingRow, "segments">): string =>
  `${JSON.stringify({ segments: segments.map(({ label, text }) => ({ label, text })) })}\n`

const rowOf = (
  { item, turns }: Conversation,
  earlier: readonly Conversation[],
  formats: RowFormats,
  { seed, train_on_questions, train_on_thoughts }: RowSettings,
): TrainingRow => {
  const prompt = Random.fromSeed(seed).derive("final assistant prompt", item.key).choice(formats.prompts)
  const chunks = item.shown
  const system = prompt.split("{data}").join(shownPassages(chunks))
  const isTrained = ({ role }: Turn): boolean => role === "assistant" || train_on_questions
  // What a model thought in turns that are over is nothing that it reads again.
  const before = earlier.flatMap((other) =>
    other.turns.map(({ role, text }): RowTurn => ({ role, text, trained: false })),
  )
  const own = turns.map((turn): RowTurn => ({ ...turn, trained: isTrained(turn) }))
  const blank = { system, user: "", assistant: "", thoughts: "", chunks }
  const segmentsOf = ({ role, text, thoughts = "", trained }: RowTurn): readonly RowSegment[] => {
    if (role === "user") return [{ label: trained, text: formats.user({ ...blank, user: text }) }]
    const { before: opening, answer } = formats.assistant({ ...blank, assistant: text, thoughts })
    return thoughts === "" || train_on_thoughts || !trained
      ? [{ label: trained, text: opening + answer }]
      : [
          { label: false, text: opening },
          { label: true, text: answer },
        ]
  }
  const isThere = ({ text }: RowSegment): boolean => text !== ""
  const masked = [{ label: false, text: formats.system(blank) }, ...before.flatMap(segmentsOf)].filter(isThere)
  const learned = own.flatMap(segmentsOf).filter(isThere)
  return {
    key: item.key,
    failed: item.failed,
    system,
    turns: [...before, ...own],
    segments: [...masked, ...learned],
    own: { turns: own.length, segments: learned.length },
  }
}
