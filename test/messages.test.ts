import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { listFiles, root } from "../scripts/support/Workspace.ts"
import { stringLiterals } from "./support/StringLiterals.ts"

/** Files whose texts are no messages: pages for a reader, prompts, and the sentences of made-up data. */
const passedOver =
  /^packages\/(?:report\/src\/|datasets\/src\/(?:world\/|ForeignWorld\.ts)|objectives\/src\/(?:retrieval\/(?:ModelCard|SearchPage)|answers\/(?:Answer|Text)Page|joint\/JointPage)\.ts|generator\/src\/prompt\/DefaultTemplates\.ts|datagen\/src\/(?:DefaultFormats\.ts|audit\/|export\/(?:Axolotl|Ralt)\.ts))/

/** How texts may begin: names, and what is compared with others' messages or read as data. */
const names = /^(?:Parquet|Bearer|Transformer|R|Non tensor type|Title of|Text of)\b/

const foreign = new Set([
  "version https://git-lfs.",
  "CUDA's libraries are not part of the npm package: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false; or choose the device cpu",
])

/** What a text has that messages of libraries have not; nothing where it is in their dialect. */
const wrong = (text: string): string | undefined => {
  if (foreign.has(text)) return undefined
  const isSentence = / [a-z(]|…/.test(text)
  if (isSentence && /^[A-Z][a-z]*[ ,:;]/.test(text) && !names.test(text)) return "starts with a capital"
  if (/[\s…]/.test(text) && /[^.\s]\.$/.test(text) && text !== "….") return "ends in a full stop"
  if (/(?:^|[\s(`'"])--[a-z]/.test(text)) return "names a flag: write the option, in backticks"
  return undefined
}

/** Messages are often put together elsewhere than behind `message:`, so every text of a source counts. */
const findings = (source: string): readonly string[] =>
  stringLiterals(source).flatMap(({ text, line }) => {
    const what = wrong(text)
    return what === undefined ? [] : [`${line} ${what}: ${text}`]
  })

test("texts of libraries start in lower case, have no full stop and name options, not flags", () => {
  const files = listFiles(["packages/*/src/**/*.ts"]).filter((file) => !passedOver.test(file))
  assert.ok(files.length > 100)
  const found = files.flatMap((file) =>
    findings(readFileSync(join(root, file), "utf8")).map((finding) => `${file}:${finding}`),
  )
  assert.deepEqual(found, [])
})

test("what is not in the dialect is found, with its line, wherever it stands", () => {
  const source = [
    'const error = { message: "The file is damaged", hint: "get it again" }',
    `const hint = many ? \`\${count} rows are empty.\` : \`name it (\\\`corpus\\\`)\``,
    '// "The comment does not count."',
    `const flagged = /["\`]/.test(text) ? fail(\`a \${kind === "b" ? "The other" : "c"} thing\`) : "name it (--corpus)"`,
    'const fine = ["NaN", "f32", "SHA-256 of it", "BEIR data", "Add Sub Mul", "see manifest.json", "a / b", "w."]',
    `const quotient = a / b + \`\${a} of \${b} is none\` / 2 // a slash that starts no expression`,
    `const late = \`A store cannot hold \${JSON.stringify({ a: "x" })}\``,
  ].join("\n")
  assert.deepEqual(findings(source), [
    "1 starts with a capital: The file is damaged",
    "2 ends in a full stop: … rows are empty.",
    "4 starts with a capital: The other",
    "4 names a flag: write the option, in backticks: name it (--corpus)",
    "7 starts with a capital: A store cannot hold …",
  ])
})
