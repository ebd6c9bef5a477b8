import assert from "node:assert/strict"
import { test } from "node:test"
import { InvalidTemplate } from "@tandem/generator"
import { type RowSettings, rowMaker, segmentsLine, type TrainingRow, trainingRows } from "../../src/index.ts"
import { threeConversations, turnsOf } from "../support/Conversations.ts"

const settings: RowSettings = {
  final_assistant_prompts: ["Use:\n{data}"],
  system_format: "[SYS]{{ system }}\n",
  user_format: "User: {{ user }}\n",
  assistant_format: "AI: {{ assistant }}</s>\n",
  bos: "<s>",
  num_items_per_group: 3,
  train_on_questions: true,
  train_on_thoughts: false,
  seed: 1,
}

const rowsOf = async (more: Partial<RowSettings> = {}, conversations = threeConversations) => {
  const rows: TrainingRow[] = []
  for await (const row of trainingRows(conversations, rowMaker({ ...settings, ...more }))) rows.push(row)
  return rows
}

test("a group of three: each row shows its own item's chunks, masks earlier items and leaves later ones out", async () => {
  const lines = (await rowsOf()).map(segmentsLine)
  const system = (text: string) => ({ label: false, text: `<s>[SYS]Use:\n${text}\n` })
  const turns = (label: boolean, ...texts: readonly string[]) =>
    texts.map((text, at) => ({ label, text: at % 2 === 0 ? `User: ${text}\n` : `AI: ${text}</s>\n` }))
  const first = ["What first?", "Prime it [pump.md].", "Always?", "Before its first start."]
  const second = ["How hot?", "Rye bread is often baked hot."]
  const third = ["What do otters eat?", "Crayfish [otter.md]."]
  const [pump, oven, otter] = [
    "pump.md\nPrime the pump before its first start.",
    "oven.md\nBake for 50 minutes at 230 degrees.",
    "otter.md\nOtters eat crayfish in winter.",
  ]
  const golden = [
    { segments: [system(`${oven}\n\n${pump}`), ...turns(true, ...first)] },
    { segments: [system(otter), ...turns(false, ...first), ...turns(true, ...second)] },
    // The answer alone is trained where there are thoughts; what stands before it is masked.
    {
      segments: [
        system(otter),
        ...turns(false, ...first),
        ...turns(false, ...second),
        { label: true, text: `User: ${third[0]}\n` },
        { label: false, text: "AI: " },
        { label: true, text: `${third[1]}</s>\n` },
      ],
    },
  ]
  assert.deepEqual(
    lines,
    golden.map((row) => `${JSON.stringify(row)}\n`),
  )
})

test("questions, answers and thoughts are trained as settings say", async () => {
  const format = "AI: <think>{{ thoughts }}</think>{{ assistant }}</s>"
  const own = async (more: Partial<RowSettings>) =>
    (await rowsOf({ assistant_format: format, num_items_per_group: 1, ...more }))[2]!.segments.slice(1)
  assert.deepEqual(await own({ train_on_questions: false }), [
    { label: false, text: "User: What do otters eat?\n" },
    { label: false, text: "AI: <think>It says crayfish.</think>" },
    { label: true, text: "Crayfish [otter.md].</s>" },
  ])
  assert.deepEqual(await own({ train_on_questions: false, train_on_thoughts: true }), [
    { label: false, text: "User: What do otters eat?\n" },
    { label: true, text: "AI: <think>It says crayfish.</think>Crayfish [otter.md].</s>" },
  ])
})

test("groups are of the size that settings name; the last one may be smaller", async () => {
  const rows = await rowsOf({ num_items_per_group: 2 })
  assert.deepEqual(
    rows.map(({ turns }) => turns.length),
    [4, 6, 2],
  )
  assert.deepEqual(
    rows.map(({ key, failed }) => [key, failed]),
    [
      ["k1", false],
      ["k2", true],
      ["k3", false],
    ],
  )
})

test("a prompt is drawn by seed and item, whatever else is in the data", async () => {
  const prompts = ["A {data}", "B {data}", "C {data}"]
  const drawn = async (seed: number, conversations = threeConversations) =>
    (await rowsOf({ final_assistant_prompts: prompts, seed }, conversations)).map(({ key, system }) => [key, system[0]])
  assert.deepEqual(await drawn(5), await drawn(5))
  assert.deepEqual(await drawn(5, threeConversations.slice(1)), (await drawn(5)).slice(1))
  const seen = new Set<unknown>()
  for (let seed = 0; seed < 12; seed++) for (const [, letter] of await drawn(seed)) seen.add(letter)
  assert.equal(seen.size, 3)
})

test("what a chunk says is put in as it stands, also where it looks like a pattern or a template", async () => {
  const [first] = threeConversations
  const chunk = { ...first!.item.chunk, text: "costs $& and $1, {{ user }} {data} {% if %}" }
  const [row] = await rowsOf({}, [{ ...first!, item: { ...first!.item, chunk, shown: [chunk] } }])
  assert.equal(row!.segments[0]!.text, "<s>[SYS]Use:\npump.md\ncosts $& and $1, {{ user }} {data} {% if %}\n")
})

test("formats see chunks, sources and bos", async () => {
  const [row] = await rowsOf({
    system_format: "{{ bos }}{{ sources | join(', ') }}: {% for c in chunks %}{{ c.text }}|{% endfor %}{{ system }}",
  })
  assert.match(row!.segments[0]!.text, /^<s>oven\.md, pump\.md: Bake.*\|Prime.*\|Use:/s)
})

test("a row in which nothing is trained is not written", async () => {
  const empty = { item: threeConversations[0]!.item, turns: turnsOf("What?", " ") }
  const rows = await rowsOf({ train_on_questions: false, assistant_format: "{{ assistant }}" }, [empty])
  assert.deepEqual(rows, [])
})

test("templates that do not compile, do not show their turn or miss {data} are refused by their names", () => {
  const refused = (more: Partial<RowSettings>): InvalidTemplate => {
    try {
      rowMaker({ ...settings, ...more })
    } catch (cause) {
      assert.ok(cause instanceof InvalidTemplate, String(cause))
      return cause
    }
    return assert.fail("it is taken")
  }
  const broken = refused({ user_format: "{{ user }" })
  assert.equal(broken.field, "system.user_format")
  assert.match(broken.message, /^`system\.user_format` cannot be used: /)
  assert.equal(refused({ user_format: "User: {{ usr }}" }).field, "system.user_format")
  assert.equal(refused({ system_format: "Hello" }).field, "system.system_format")
  assert.equal(refused({ assistant_format: "AI:" }).field, "system.assistant_format")
  assert.equal(refused({ assistant_format: "{{ assistant }}{{ assistant }}" }).expected, "{{ assistant }}")
  assert.equal(refused({ final_assistant_prompts: ["a {data}", "b"] }).field, "system.final_assistant_prompts[1]")
  assert.equal(refused({ final_assistant_prompts: ["{data} {data}"] }).found, "2 times")
})

test("what ends a text stands behind every answer, or where the format says", async () => {
  const endOf = async (assistant_format: string) => {
    const [row] = await rowsOf({ assistant_format, eos: "</s>" })
    return row?.segments.filter(({ text }) => text.startsWith("AI")).map(({ text }) => text.slice(-6))
  }
  const behind = await endOf("AI: {{ assistant }}\n")
  assert.ok(behind !== undefined && behind.length > 1)
  for (const end of behind) assert.ok(end.endsWith("\n</s>"), end)
  for (const end of (await endOf("AI: {{ assistant }}{{ eos }}\n")) ?? []) assert.ok(end.endsWith("</s>\n"), end)
})
