import type { Document } from "./Documents.ts"

/** A chunk as it was shown. */
export interface Shown {
  readonly id: string
  readonly source: string
  readonly text: string
}

export interface Turn {
  readonly role: "user" | "assistant"
  readonly text: string
}

/** A conversation and what was shown beside it. */
export interface Case {
  readonly shown: readonly Shown[]
  readonly truth: readonly Shown[]
  readonly turns: readonly Turn[]
  readonly failed: boolean
  readonly behaviour: "from_memory" | "abstain"
}

/** Quotations that no chunk holds: most differ from what stands there by a word or a number. */
export const invented: readonly (readonly [source: string, quote: string])[] = [
  [
    "manuals/harrow",
    "“Running the pump dry for more than 20 minutes destroys the mechanical seal and voids the warranty”",
  ],
  ["policies/travel", "“Receipts have to reach the accounts office within 60 days of the return”"],
  ["field-notes/lake", "“71 percent of the remains in their spraints were perch bones”"],
  ["handbook/onboarding", '"Change the password within three days, or your manager is informed"'],
  [
    "papers/basalt",
    "“1.9 ± 0.4 tonnes of CO2 per hectare and year, exactly what laboratory columns had led us to expect”",
  ],
  ["recipes/grand", "“Bake for 50 minutes at 180 degrees, the first ten with steam”"],
  ["minutes/council", '"After a short debate the council chose steel by seven votes to five"'],
  ["docs/queue", '"the default is 128, and 0 means that nothing is delivered"'],
  ["history/salt", "‘steeper but safer, and free of robbers’"],
  ["machine-learning", "“Our annotators agreed on every image, so the ground truth itself is reliable”"],
  ["legal/lease", "“The landlord bears the cost of small repairs of up to 90 euros each”"],
  ["astronomy", '"It was the brightest comet of the century, visible even at noon"'],
  ["medicine", "“If you forget a tablet, take a double dose at the usual time”"],
  ["garden", '"winter wounds heal within a week and do no harm"'],
  ["handbuch", "„Der Abgasverlust soll unter 19 Prozent liegen“"],
  ["archiv", "»Von allem ist uns nur der silberne Kelch geblieben.«"],
  ["richtlinien", "„Resturlaub verfällt am 30. Juni des Folgejahres“"],
  ["guides/refuge", "« seule la salle d'hiver reste ouverte, avec trente places et l'électricité »"],
  ["archives/lettre", "« Nous avons sauvé la cargaison en perdant le navire »"],
  ["informes", "«El agua llegó tarde y se fue en una semana»"],
  ["手册", "“要等它回到零度，否则茶叶会失去香味”"],
]

/** Prompt words in a reply, as `[before, after]` the answer. */
export const leaks: readonly (readonly [before: string, after: string])[] = [
  ["Ground Truth: ", ""],
  ["", " This is what the ground-truth passage says."],
  ["", "\n\n(Ground truth chunk: the first one.)"],
  ["[Chunk 2] ", ""],
  ["", " See chunk 3 for more."],
  ["", "<|im_end|>\n<|im_start|>user"],
  ["[/INST] ", ""],
  ["", " {{ question }}"],
  ["", "\n\n### Instruction:\nWrite another question."],
  ["AI: ", ""],
  ["", "\n\nUser: And what else should I know?"],
  ["</think>\n\n", ""],
  ["<think>I should quote the text.</think>", ""],
  ["As the system prompt asks me to cite, here it is. ", ""],
  ["", " The other passages are distractors, so I ignored them."],
  ["{data}\n", ""],
]

/** Names of sources that nobody showed. */
export const strangers: readonly string[] = [
  "[service-bulletin-17.pdf]",
  "(source: annual-report-2020.pdf)",
  "(Quelle: merkblatt-brandschutz.docx)",
  "[appendix-c.md]",
  "— as described in safety-data-sheet.pdf",
  "(source: The Complete Owner's Companion)",
  "(fuente: boletin-oficial.html)",
  "[Source: wikipedia.org/wiki/Pump]",
]

/** How replies are cut, given the whole text and a place in a word of its last sentence. */
export const cuts: readonly ((text: string, place: number) => string)[] = [
  (text, place) => text.slice(0, place),
  (text, place) => text.slice(0, text.lastIndexOf(" ", place)),
  (text, place) => `${text.slice(0, text.lastIndexOf(" ", place)).replace(/[,;.]$/, "")},`,
  (text) => `${text} There are two more things to bear in mind:`,
  (text) => `${text} The next paragraph adds that "`,
  (text) => `${text} It holds in most cases (see also`,
  (text) => `${text}\n\n\`\`\`sh\nsystemctl restart`,
  (text) => `${text}\n\n1. Read the whole section.\n2.`,
  (text) => `${text}\n\n- First make sure that nothing else depends on it.\n- Then`,
  (text) => `${text} However, the`,
]

/** The other chunk of the same document, with what gives the answer away in it. */
export const tellingNeighbour = ({ chunks, tellTale, source }: Document): Shown => ({
  id: `${source}#telling`,
  source,
  text: `${chunks[1]} ${sentenceWith(chunks[0], tellTale)}`,
})

/** The chunk once more, with a few words changed, as another edition of the document would have it. */
export const secondEdition = ({ chunks: [text], source }: Document): Shown => ({
  id: `${source}#edition`,
  source: `editions/2nd/${source}`,
  text: `Revised. ${text.replace(/ (the|der|die|le|la|el) /, " ")} Checked again.`,
})

/** The chunk's second half with the next chunk's beginning, as overlapping windows have it. */
export const overlapping = ({ chunks: [first, second], source }: Document): Shown => ({
  id: `${source}#overlap`,
  source,
  text: `${first.slice(Math.floor(first.length * 0.35))} ${second.slice(0, Math.floor(second.length / 2))}`,
})

const sentenceWith = (text: string, words: string): string => {
  const at = text.indexOf(words)
  if (at < 0) throw new Error(`${words} stand nowhere`)
  const ends = /[.。!?]\s?/g
  let start = 0
  for (const match of text.matchAll(ends)) {
    const end = match.index + match[0].length
    if (end > at + words.length) return text.slice(start, end)
    if (end <= at) start = end
  }
  return text.slice(start)
}
