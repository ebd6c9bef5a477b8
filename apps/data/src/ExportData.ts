import {
  askTemplate,
  type Conversation,
  type DatagenSettings,
  type ExportName,
  exportFormats,
  type RowSettings,
  retrieverPair,
  rowMaker,
  trainingRows,
} from "@tandem/datagen"
import { readConversations } from "@tandem/datagen/node/ConversationFolder"
import type { DatasetError } from "@tandem/datasets"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { InvalidTemplate } from "@tandem/generator"
import { Random } from "@tandem/random"
import { Effect } from "effect"
import { attempt, writing } from "./Attempt.ts"

/** What can be exported to: formats of training rows, and pairs for a retriever. */
export const exportNames = ["axolotl", "chat-template", "trl", "openai", "sharegpt", "ralt", "dpr"] as const

export interface ExportDataSettings {
  /** Of the pipeline; conversations are read from its `path.output_dir`. */
  readonly settings: DatagenSettings
  readonly to: (typeof exportNames)[number]
  /** The file to write. */
  readonly out: string
  /** Share of the documents whose rows go into a file of their own, `FILE.held-out.jsonl`, to measure by; none where absent. */
  readonly holdOut?: number
}

/** What was written. */
export interface Exported {
  readonly file: string
  readonly lines: number
  /** Training rows, or questions. */
  readonly rows: number
  /** Who reads the file, and how. */
  readonly reader: string
  /** What the format cannot say of these rows. */
  readonly warnings: readonly string[]
  /** What was written of held-out documents. */
  readonly heldOut?: { readonly file: string; readonly lines: number; readonly rows: number }
  /** The template that a model trained on them is asked with, for `ralt`. */
  readonly template?: string
}

/**
 * Writes the conversations of a pipeline's output folder in another format, whole or not at all, one row in memory at a time.
 * `ralt` also writes the template that `tandem ralt train` takes, beside the file. Rows of held-out documents are in no group
 * with others.
 */
export const exportData = Effect.fn("data.export")(
  ({ settings, to, out, holdOut }: ExportDataSettings): Effect.Effect<Exported, DatasetError | InvalidTemplate> =>
    attempt(async () => {
      const conversations = () => readConversations(settings.path.output_dir)
      const write = (some: AsyncIterable<Conversation>, file: string): Promise<Exported> =>
        to === "dpr" ? exportPairs(some, file) : exportRows(some, settings.system, to, file)
      if (holdOut === undefined) return write(conversations(), out)
      const held = await heldOutOf(conversations(), { share: holdOut, seed: settings.system.seed })
      const some = (isHeld: boolean) => only(conversations(), ({ item }) => held.has(item.chunk.source) === isHeld)
      const exported = await write(some(false), out)
      const { file, lines, rows } = await write(some(true), `${out.replace(/\.jsonl$/, "")}.held-out.jsonl`)
      return { ...exported, heldOut: { file, lines, rows } }
    }),
)

/** Documents, drawn by the seed: a share of them, and one at least where there are two. */
const heldOutOf = async (
  conversations: AsyncIterable<Conversation>,
  { share, seed }: { readonly share: number; readonly seed: number },
): Promise<ReadonlySet<string>> => {
  const sources = new Set<string>()
  for await (const { item } of conversations) sources.add(item.chunk.source)
  const count = Math.min(sources.size - 1, Math.max(1, Math.round(share * sources.size)))
  return new Set(
    Random.fromSeed(seed)
      .derive("held out")
      .sample([...sources].sort(), Math.max(0, count)),
  )
}

async function* only<A>(items: AsyncIterable<A>, keep: (item: A) => boolean): AsyncGenerator<A> {
  for await (const item of items) if (keep(item)) yield item
}

const exportRows = async (
  conversations: AsyncIterable<Conversation>,
  settings: RowSettings,
  to: ExportName,
  out: string,
): Promise<Exported> => {
  const { lines, cannot, reader } = exportFormats[to]
  const maker = rowMaker(settings)
  const template = to === "ralt" ? templateOf(settings) : undefined
  const count = { rows: 0, lines: 0 }
  await writing(out, () =>
    writeWhole(
      out,
      (async function* () {
        for await (const row of trainingRows(conversations, maker)) {
          count.rows += 1
          for (const line of lines(row)) {
            count.lines += 1
            yield line
          }
        }
      })(),
    ),
  )
  const warnings = cannot(settings).map((what) => `${to} cannot say ${what}`)
  if (template === undefined) return { file: out, ...count, reader, warnings }
  if (template instanceof InvalidTemplate)
    return { file: out, ...count, reader, warnings: [...warnings, `no template was written: ${template.message}`] }
  const file = `${out.replace(/\.jsonl$/, "")}.template.txt`
  await writing(file, () => writeWhole(file, template))
  return { file: out, ...count, reader, warnings, template: file }
}

/** The text of the template, or why there is none. */
const templateOf = (settings: RowSettings): string | InvalidTemplate => {
  try {
    return askTemplate(settings).text
  } catch (cause) {
    if (cause instanceof InvalidTemplate) return cause
    throw cause
  }
}

const exportPairs = async (conversations: AsyncIterable<Conversation>, out: string): Promise<Exported> => {
  let rows = 0
  await writing(out, () =>
    writeWhole(
      out,
      (async function* () {
        for await (const conversation of conversations) {
          const pair = retrieverPair(conversation)
          if (pair === undefined) continue
          rows += 1
          yield `${JSON.stringify(pair)}\n`
        }
      })(),
    ),
  )
  return {
    ...{ file: out, lines: rows, rows, reader: "`tandem dpr train --data FILE`" },
    warnings: ["dpr has the first question of each conversation alone: later ones rest on what was said before"],
  }
}
