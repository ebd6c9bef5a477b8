import { axolotl, chatTemplate } from "./Axolotl.ts"
import type { ExportFormat } from "./ExportFormat.ts"
import { openAi } from "./OpenAi.ts"
import { ralt } from "./Ralt.ts"
import { shareGpt } from "./ShareGpt.ts"
import { trl } from "./Trl.ts"

/** The formats of training rows by their names. */
export const exportFormats = {
  axolotl,
  "chat-template": chatTemplate,
  trl,
  openai: openAi,
  sharegpt: shareGpt,
  ralt,
} as const satisfies Readonly<Record<string, ExportFormat>>

export type ExportName = keyof typeof exportFormats
