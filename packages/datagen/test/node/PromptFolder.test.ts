import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { Effect } from "effect"
import type { PromptFile } from "../../src/index.ts"
import { loadPrompts, ownPrompts, type PromptPlaces } from "../../src/node/PromptFolder.ts"

const root = mkdtempSync(join(tmpdir(), "tandem-prompts-"))
after(() => rmSync(root, { recursive: true, force: true }))

const load = (places: Partial<PromptPlaces> = {}) => Effect.runPromise(loadPrompts({ language: "en", ...places }))
const failing = (places: Partial<PromptPlaces>) =>
  Effect.runPromise(Effect.flip(loadPrompts({ language: "en", ...places })))

const chunk = { text: "THE TEXT", source: "pump.md", heading: "Care", needed: true }
const variables = {
  ...{ text: "THE TEXT", source: "pump.md", heading: "Care", chunks: [chunk], multi: [], problem: "PROBLEM", count: 3 },
  turns: [{ role: "assistant", text: "THE ANSWER" }],
}

describe("loadPrompts", () => {
  it("has all prompts in several languages, with and without each option", async () => {
    const languages = readdirSync(ownPrompts)
    assert.deepEqual(languages.toSorted(), ["de", "en", "es", "fr", "zh"])
    for (const language of languages) {
      const prompts = await load({ language })
      for (const [name, { render }] of Object.entries<PromptFile>({ ...prompts })) {
        for (const options of [{}, { thoughts: true, abstain: true, multi: [chunk, chunk] }]) {
          const text = render({ ...variables, ...options })
            .map(({ content }) => content)
            .join("\n")
          assert.ok(text.includes(name === "rag_correction" ? "PROBLEM" : "THE TEXT"), `${language}/${name}`)
          assert.doesNotMatch(text, /\{\{|\{%|undefined/)
          if (name.endsWith("convs")) assert.equal(text.includes('"thoughts"'), "thoughts" in options)
        }
      }
      const [plain, abstaining] = [false, true].map((abstain) =>
        JSON.stringify(prompts.rag_failed_convs.render({ ...variables, abstain })),
      )
      assert.notEqual(plain, abstaining)
    }
  })

  it("looks into one's own folder first, there into that of the language", async () => {
    const own = join(root, "own")
    mkdirSync(join(own, "de"), { recursive: true })
    const prompt = (content: string) => JSON.stringify([{ role: "user", content }])
    writeFileSync(join(own, "rag_filter.yaml"), prompt("Mine: {{ text }}"))
    writeFileSync(join(own, "de", "rag_filter.yaml"), prompt("Meins: {{ text }}"))
    const rendered = async (language: string) =>
      (await load({ prompts: own, language })).rag_filter.render({ text: "{{ it }}" })
    assert.deepEqual(await rendered("en"), [{ role: "user", content: "Mine: {{ it }}" }])
    assert.deepEqual(await rendered("de"), [{ role: "user", content: "Meins: {{ it }}" }])
    assert.equal((await load({ prompts: own })).rag_convs.render(variables).length, 2)
  })

  it("refuses prompts that cannot be used, by file", async () => {
    const broken: Readonly<Record<string, string>> = {
      "no YAML": "- role: [",
      "no list": "role: user",
      "no end": '- {role: system, content: "{{ text }}"}',
      "no text": "- {role: user, content: Is it fit?}",
      "no template": '- {role: user, content: "{{ text"}',
      "no loop": '- {role: user, content: "{% for a in %}{{ text }}"}',
    }
    for (const [name, text] of Object.entries(broken)) {
      const prompts = join(root, name)
      mkdirSync(prompts)
      writeFileSync(join(prompts, "rag_filter.yaml"), text)
      const error = await failing({ prompts })
      assert.equal(error._tag, "InvalidPromptFile", name)
      assert.equal(error.file, join(prompts, "rag_filter.yaml"))
    }
    assert.equal((await failing({ prompts: join(root, "nowhere") }))._tag, "InvalidPromptFile")
    assert.equal((await failing({ language: "../en" }))._tag, "InvalidDatagenSettings")
  })
})
