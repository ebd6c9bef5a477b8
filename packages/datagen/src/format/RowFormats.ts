import type { Chunk } from "@tandem/documents"
import { InvalidTemplate } from "@tandem/generator"
import { type Jinja, parseJinja } from "@tandem/generator/prompt/Jinja"
import type { DatagenSettings } from "../DatagenSettings.ts"

/** The settings that decide how a row's turns are written. */
export type FormatSettings = Pick<
  DatagenSettings["system"],
  "final_assistant_prompts" | "system_format" | "user_format" | "assistant_format" | "bos"
> &
  Partial<Pick<DatagenSettings["system"], "eos">>

/** What the formats of a row see. */
export interface RowValues {
  /** The system's prompt with its passages. */
  readonly system: string
  readonly user: string
  readonly assistant: string
  readonly thoughts: string
  readonly chunks: readonly Chunk[]
}

/** An assistant's turn in two pieces: what stands before the answer, thoughts included, and the answer with what ends it. */
export interface AssistantPieces {
  readonly before: string
  readonly answer: string
}

/** How a row's turns are written. */
export interface RowFormats {
  /** The prompts, each with `{data}` once, that one is drawn from for every row. */
  readonly prompts: readonly string[]
  readonly system: (values: RowValues) => string
  readonly user: (values: RowValues) => string
  readonly assistant: (values: RowValues) => AssistantPieces
}

/** Stands for a text in a format that is tried; no document holds it. */
const mark = "\u{F0000}"
const sample: Chunk = { id: "", source: "", document: "", index: 0, text: "\u{F0001}", start: 0, end: 1 }
const nothing: RowValues = { system: "", user: "", assistant: "", thoughts: "", chunks: [] }

/**
 * The formats of rows as settings give them: Jinja templates that see `system`, `user`, `assistant`, `thoughts`, `chunks`,
 * `sources`, `bos` and `eos`. A line end at the end of a format stays. `bos` stands before the system's turn and `eos` behind
 * each of the assistant's, unless their formats say where.
 *
 * A format that does not compile, one that does not show its own turn, an assistant's that shows it more than once, and a
 * prompt without `{data}` end in `InvalidTemplate`, which names the setting.
 */
export const rowFormats = (settings: FormatSettings): RowFormats => {
  const { bos, eos = "", system_format, user_format, assistant_format, final_assistant_prompts: prompts } = settings
  const tokens = { bos, eos }
  for (const [at, prompt] of prompts.entries()) checkPrompt(prompt, `system.final_assistant_prompts[${at}]`)
  const system = formatOf(system_format, "system_format", tokens)
  const user = formatOf(user_format, "user_format", tokens)
  const assistant = formatOf(assistant_format, "assistant_format", tokens)
  const shown = system({ ...nothing, system: mark, chunks: [sample] })
  if (!shown.includes(mark) && !shown.includes(sample.text)) throw unshown("system_format", "system")
  if (!user({ ...nothing, user: mark }).includes(mark)) throw unshown("user_format", "user")
  const pieces = assistantPieces(assistant)
  pieces(nothing)
  const [begin, end] = [places("bos", system_format) ? "" : bos, places("eos", assistant_format) ? "" : eos]
  return {
    prompts,
    system: (values) => `${begin}${system(values)}`,
    user,
    assistant: (values) => {
      const { before, answer } = pieces(values)
      return { before, answer: `${answer}${end}` }
    },
  }
}

/** Whether a format says where a token stands. */
const places = (token: "bos" | "eos", format: string): boolean => new RegExp(`\\{[{%][^}]*\\b${token}\\b`).test(format)

/** Where `{data}` stands in a prompt, each of which has it once. */
const checkPrompt = (prompt: string, field: string): void => {
  const count = prompt.split("{data}").length - 1
  if (count === 1) return
  throw new InvalidTemplate({
    message: `\`${field}\` ${count === 0 ? "misses" : "repeats"} {data}, which stands for the passages`,
    field,
    expected: "{data} once",
    found: count === 0 ? prompt.slice(0, 80) : `${count} times`,
  })
}

const formatOf = (text: string, name: string, tokens: { readonly bos: string; readonly eos: string }) => {
  const field = `system.${name}`
  // Jinja takes one line end off a template's end, which would glue turns together.
  const jinja: Jinja = parseJinja(text.endsWith("\n") ? `${text}\n` : text, { name: `\`${field}\``, field })
  return ({ chunks, ...turn }: RowValues): string =>
    jinja.render(
      {
        ...turn,
        ...tokens,
        chunks: chunks.map(({ source, text: said, heading = "" }) => ({ source, text: said, heading })),
        sources: [...new Set(chunks.map(({ source }) => source))],
      },
      day,
    )
}

/** Formats that ask for the day get a fixed one, so that a row is the same tomorrow. */
const day = new Date("2024-07-26T00:00:00Z")

/** Divides what a format writes where the answer begins, which a mark in its place shows. */
const assistantPieces =
  (format: (values: RowValues) => string) =>
  (values: RowValues): AssistantPieces => {
    const [before = "", behind, ...more] = format({ ...values, assistant: mark }).split(mark)
    const whole = format(values)
    if (behind === undefined || more.length > 0 || !whole.startsWith(before) || !whole.endsWith(behind))
      throw unshown("assistant_format", "assistant")
    return { before, answer: whole.slice(before.length) }
  }

const unshown = (name: string, variable: string): InvalidTemplate =>
  new InvalidTemplate({
    message: `\`system.${name}\` does not show its turn${variable === "assistant" ? " once, as it stands" : ""}`,
    field: `system.${name}`,
    expected: `{{ ${variable} }}`,
    hint: "a format sees system, user, assistant, thoughts, chunks, sources, bos and eos",
  })
