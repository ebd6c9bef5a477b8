import type { Chunk, Conversation, Turn } from "../../src/index.ts"

/** A chunk of a made-up document. */
export const chunkOf = (id: string, source: string, text: string, index = 0): Chunk => ({
  ...{ id, source, document: source, index, text, start: 1000 * index, end: 1000 * index + text.length },
})

/** Turns that alternate, a question first. */
export const turnsOf = (...texts: readonly string[]): readonly Turn[] =>
  texts.map((text, at): Turn => ({ role: at % 2 === 0 ? "user" : "assistant", text }))

const pump = chunkOf("c1", "pump.md", "Prime the pump before its first start.")
const oven = chunkOf("c2", "oven.md", "Bake for 50 minutes at 230 degrees.")
const otter = chunkOf("c3", "otter.md", "Otters eat crayfish in winter.")

/** Three conversations: two that were shown their chunk, one that was not. */
export const threeConversations: readonly Conversation[] = [
  {
    item: { key: "k1", chunk: pump, shown: [oven, pump], failed: false },
    turns: turnsOf("What first?", "Prime it [pump.md].", "Always?", "Before its first start."),
  },
  {
    item: { key: "k2", chunk: oven, shown: [otter], failed: true },
    turns: turnsOf("How hot?", "Rye bread is often baked hot."),
  },
  {
    item: { key: "k3", chunk: otter, shown: [otter], failed: false },
    turns: [
      { role: "user", text: "What do otters eat?" },
      { role: "assistant", text: "Crayfish [otter.md].", thoughts: "It says crayfish." },
    ],
  },
]
