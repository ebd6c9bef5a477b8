import { ragTemplate, type TextTemplate } from "@tandem/generator"
import { rowFormats } from "../format/RowFormats.ts"
import type { RowSettings } from "../format/TrainingRows.ts"
import type { ExportFormat } from "./ExportFormat.ts"
import { jsonLine } from "./Messages.ts"

/** This project's own trainer: segments with the item's key and whether its retrieval failed. */
export const ralt: ExportFormat = {
  reader: "`tandem ralt train --data FILE --template TEMPLATE`",
  lines: ({ key, failed, segments }) => [
    jsonLine({ id: key, segments: segments.map(({ label, text }) => ({ label, text })), metadata: { failed } }),
  ],
  cannot: ({ final_assistant_prompts, bos }) => [
    ...(final_assistant_prompts.length > 1
      ? ["several prompts in one template: `ask` and `serve` use the first of `final_assistant_prompts`"]
      : []),
    ...(bos === "" ? [] : ["`bos` in the template: the tokenizer puts its own before a prompt"]),
  ],
}

/**
 * The template that a model which was trained on these rows is asked with (`rag.json`, `tandem ask`, `tandem serve`): the
 * first of the prompts, with the passages where `{data}` stands, laid out as the formats have it. It shows a passage as rows
 * do: its title, which is its source, and its text. Where thoughts are trained, a reply begins with them.
 *
 * Formats that need more than the turn itself, or hold words in braces, end in `InvalidTemplate`.
 */
export const askTemplate = (settings: RowSettings): TextTemplate => {
  const { prompts, system, user, assistant } = rowFormats({ ...settings, bos: "" })
  const prompt = (prompts[0] ?? "").split("{data}").join("{context}")
  const blank = { system: prompt, user: "", assistant: "", thoughts: "", chunks: [] }
  const { before, answer } = assistant({ ...blank, assistant: "{response}" })
  const [thinking, ...rest] = settings.train_on_thoughts
    ? assistant({ ...blank, thoughts: "{response}" }).before.split("{response}")
    : []
  const reply = thinking === undefined || rest.length === 0 ? `${before}${answer}` : `${thinking}{response}`
  return ragTemplate(`${system(blank)}${user({ ...blank, user: "{query}" })}${reply}`)
}
