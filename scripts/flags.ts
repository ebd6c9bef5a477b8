// Writes the tables of flags in docs/formats.md out of the schemas of settings, where each default stands once; a test
// fails when they are stale.
// Usage: node scripts/flags.ts
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { dprTrainApp } from "@tandem/dpr/TrainApp"
import { lsrTrainApp } from "@tandem/dual/lsr/LsrTrainApp"
import { ScoreSettings } from "@tandem/dual/lsr/ScoreSettings"
import { DualSettings } from "@tandem/dual/rounds/DualSettings"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { jointTrainApp } from "@tandem/joint/TrainApp"
import { defaultText, flagName, type KnownSetting, settingsOf } from "@tandem/runs/Setting"
import { root } from "./support/Workspace.ts"

export const formatsFile = join(root, "docs/formats.md")

/** The settings whose tables stand in the document, by the name in its marks. */
const tables = {
  "dpr train": settingsOf(dprTrainApp.schema),
  "ralt train": settingsOf(raltTrainApp.schema),
  "lsr train": settingsOf(lsrTrainApp.schema),
  "lsr score": settingsOf(ScoreSettings),
  "dual train": settingsOf(DualSettings),
  "joint train": settingsOf(jointTrainApp.schema),
}

/** The document with its tables made anew. */
export const renderFormats = (document: string): string =>
  Object.entries(tables).reduce((text, [name, settings]) => {
    const [begin, end] = [`<!-- flags of ${name}: made by node scripts/flags.ts -->`, `<!-- /flags of ${name} -->`]
    const [from, to] = [text.indexOf(begin), text.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`docs/formats.md lacks the marks ${begin} and ${end}`)
    return `${text.slice(0, from + begin.length)}\n\n${table(settings)}\n\n${text.slice(to)}`
  }, document)

const table = (settings: Readonly<Record<string, KnownSetting>>): string =>
  ["| flag | meaning | default |", "| --- | --- | --- |", ...rows(settings)].join("\n")

const rows = (settings: Readonly<Record<string, KnownSetting>>, group?: string): readonly string[] =>
  Object.entries(settings).flatMap(([key, setting]) =>
    setting.kind === "group" ? rows(setting.fields ?? {}, key) : [row(key, setting, group)],
  )

const row = (key: string, setting: KnownSetting, group: string | undefined): string => {
  const name = group === undefined ? flagName(key) : `${flagName(group)}-${flagName(key)}`
  const value = setting.value === undefined ? "" : ` ${setting.value}`
  const cells = [`\`--${name}${value}\``, setting.about, defaultText(setting) ?? ""]
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
}

if (import.meta.main) writeFileSync(formatsFile, renderFormats(readFileSync(formatsFile, "utf8")))
