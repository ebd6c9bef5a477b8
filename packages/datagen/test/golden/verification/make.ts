// Writes verification.jsonl: 200 replies over invented documents, 96 good and 104 with one planted fault each, labelled.
// Nothing here knows how replies are verified. Usage: node make.ts
import { writeFileSync } from "node:fs"
import { type Document, documents } from "./Documents.ts"
import {
  type Case,
  cuts,
  invented,
  leaks,
  overlapping,
  type Shown,
  secondEdition,
  strangers,
  type Turn,
  tellingNeighbour,
} from "./Faults.ts"

export interface Labelled extends Case {
  readonly id: string
  /** `good`, or the fault that was planted. */
  readonly label: string
}

const chunk = (document: Document, at: 0 | 1): Shown => ({
  id: `${document.source}#${at}`,
  source: document.source,
  text: document.chunks[at],
})

const documentAt = (index: number): Document => documents[index % documents.length]!

/** A document's true chunk among chunks of others, at a place that changes. */
const shownWith = (truth: Shown, index: number, count = 3): readonly Shown[] => {
  const others = Array.from({ length: count - 1 }, (_, at) =>
    chunk(documentAt(index + 5 + 4 * at), at % 2 === 0 ? 1 : 0),
  )
  return others.toSpliced(index % count, 0, truth)
}

const unrelated = (index: number): readonly Shown[] =>
  shownWith(chunk(documentAt(index + 9), 0), index, 1 + (index % 3))

const basename = (source: string): string => source.split("/").at(-1)!

const sourceWord = { en: "source", de: "Quelle", fr: "source", es: "fuente", zh: "来源", ja: "出典", ru: "источник" }

/** How a source is named, by number. */
const citation = (document: Document, form: number, shown: readonly Shown[]): string => {
  const { source, language } = document
  const place = shown.findIndex((each) => each.source === source) + 1
  const forms = [
    `[${source}]`,
    `(${sourceWord[language]}: ${basename(source)})`,
    `[${basename(source).replace(/\.\w+$/, "")}]`,
    `[${place}]`,
    `(${basename(source)})`,
  ]
  return forms[form % forms.length]!
}

/** The answer with its quotations as they are given, and the source named. */
const written = (text: string, cite: string, quote = (words: string): string => words): string =>
  text.replace(/<<(.*?)>>/gs, (_, words: string) => quote(words)).replace(/ ?@/, cite === "" ? "" : ` ${cite}`)

const conversation = (...texts: readonly string[]): readonly Turn[] =>
  texts.map((text, at): Turn => ({ role: at % 2 === 0 ? "user" : "assistant", text }))

/** Lines as a PDF has them: broken every 60 characters, now and then within a word. */
const pdfLines = (text: string): string => {
  const lines: string[] = []
  let line = ""
  for (const [at, word] of text.split(" ").entries()) {
    if (line.length + word.length > 60) {
      const isDivided = at % 3 === 0 && /^[a-zäöüéè]{8,}$/i.test(word)
      lines.push(isDivided ? `${line} ${word.slice(0, 4)}-` : line)
      line = isDivided ? word.slice(4) : word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line].join("\n")
}

const straight = (text: string): string =>
  text
    .replace(/[“”„»«]/g, '"')
    .replace(/[‘’]/g, "'")
    .replace(/[–—]/g, "-")

/** A quotation whose middle is left out. */
const shortened = (words: string): string => {
  const parts = words.split(" ")
  if (parts.length < 8) return words
  return `${parts.slice(0, 3).join(" ")} ${parts.length % 2 === 0 ? "…" : "[...]"} ${parts.slice(-4).join(" ")}`
}

const abstentions: Readonly<Record<Document["language"], string>> = {
  en: "I'm afraid that I cannot answer this: none of the texts I was given says anything about it.",
  de: "Das kann ich leider nicht beantworten. Aus den vorliegenden Texten geht es nicht hervor.",
  fr: "Je ne peux pas répondre : les textes que j'ai sous les yeux n'en parlent pas.",
  es: "No lo sé: los textos disponibles no mencionan nada al respecto.",
  zh: "抱歉，我无法回答这个问题，现有的资料里没有提到。",
  ja: "申し訳ありませんが、手元の資料には記載がないため、お答えできません。",
  ru: "К сожалению, я не могу ответить: в этих текстах об этом ничего не сказано.",
}

const success = (document: Document, index: number, more: Partial<Case> = {}): Case => {
  const truth = chunk(document, 0)
  const shown = more.shown ?? shownWith(truth, index)
  const { question, answer, next, reply } = document
  const cite = citation(document, index, shown)
  const turns = conversation(question, written(answer, cite), next, written(reply, ""))
  return { shown, truth: [truth], turns, failed: false, behaviour: "from_memory", ...more }
}

const failure = (document: Document, index: number, answer: string, behaviour: Case["behaviour"]): Case => ({
  ...{ shown: unrelated(index), truth: [chunk(document, 0)], failed: true, behaviour },
  turns: conversation(document.question, answer),
})

const good = (document: Document, index: number): readonly Case[] => {
  const plain = success(document, index)
  const truth = { ...chunk(document, 0), text: pdfLines(document.chunks[0]) }
  const shown = shownWith(truth, index + 1)
  const { question, answer, next, reply } = document
  const asPdf = {
    ...plain,
    shown,
    truth: [truth],
    turns: plain.turns.map(({ role, text }) => ({ role, text: straight(text) })),
  }
  const cited = citation(document, index + 2, plain.shown)
  const short: Case = {
    ...plain,
    turns: conversation(question, written(answer, "", shortened), next, `${written(reply, "")} ${cited}`),
  }
  const memory = index % 2 === 0 ? document.memory : abstentions[document.language]
  return [plain, asPdf, short, failure(document, index, memory, index % 2 === 0 ? "from_memory" : "abstain")]
}

/** The reply with its first answer changed. */
const withAnswer = (whole: Case, change: (text: string) => string): Case => ({
  ...whole,
  turns: whole.turns.map((turn, at) => (at === 1 ? { ...turn, text: change(turn.text) } : turn)),
})

/** The reply with its last answer changed. */
const withLast = (whole: Case, change: (text: string) => string): Case => ({
  ...whole,
  turns: whole.turns.map((turn, at) => (at === whole.turns.length - 1 ? { ...turn, text: change(turn.text) } : turn)),
})

const inventedQuotes = (): readonly Case[] => [
  ...invented.map(([start, quote], at) => {
    const index = documents.findIndex(({ source }) => source.startsWith(start))
    const whole = success(documentAt(index), index)
    const { question } = documentAt(index)
    const cite = citation(documentAt(index), at, whole.shown)
    return {
      ...whole,
      turns: conversation(question, at % 7 === 6 ? `${cite}\n\n> ${quote.slice(1, -1)}` : `${quote} ${cite}.`),
    }
  }),
  // The next chunk of the same document, which was not shown.
  withLast(
    success(documentAt(0), 0),
    (text) => `${text} Also, "Turn the shaft by hand once a month, so that the bearings do not flatten."`,
  ),
  // Two sentences of different places that never stood together.
  withLast(success(documentAt(4), 4), () => "“Nickel in the grain … bypassed most of the rock powder.”"),
  withLast(
    success(documentAt(6), 6),
    () => "He said: “the steel one 655,000 pounds and 80 years … Councillor Adeyemi presented two designs.”",
  ),
]

const unknownSources = (): readonly Case[] => [
  ...strangers.map((name, at) => withLast(success(documentAt(2 * at), 2 * at), (text) => `${text} ${name}`)),
  // Documents that there are, but that were not shown.
  ...[1, 7, 11, 15].map((index) => {
    const other = documentAt(index + 1).source
    return withLast(
      success(documentAt(index), index),
      (text) => `${text} (${sourceWord[documentAt(index).language]}: ${basename(other)})`,
    )
  }),
  // Numbers beyond those that were shown.
  ...[3, 10].map((index) => withLast(success(documentAt(index), index), (text) => `${text} [${index + 4}]`)),
  // The right name with another ending, and a chapter that nobody has.
  withAnswer(success(documentAt(13), 13), (text) =>
    text.replace(/ [[(][^\])]*[\])]/, " [garden/pruning-almanac.html]"),
  ),
  withAnswer(success(documentAt(17), 17), (text) =>
    text.replace(/ [[(][^\])]*[\])]/, " (source : carte-des-sentiers.pdf)"),
  ),
]

/** What a chunk says, told in other words without naming it. */
const uncitedAnswers: readonly (readonly [number, string])[] = [
  [
    0,
    "It would be damaged: without water the mechanical seal is destroyed in less than half a minute, and the warranty is void.",
  ],
  [3, "You have eight hours to change it. After that the account is locked."],
  [5, "Fourteen hours at 26 degrees, so it is best to start in the evening."],
  [8, "Because the abbot had doubled it, they took the way over the Kessel pass."],
  [12, "Leave it out, and take the next tablet at the usual time."],
  [14, "Er deutet auf einen verrußten Wärmetauscher hin."],
  [19, "Porque el calor que se acumula agrieta el esmalte."],
  [21, "不可以。要等它回到室温，不然水分会凝结在茶叶上。"],
]

const truncated = (): readonly Case[] => [
  ...cuts.map((cut, at) => {
    const index = [0, 2, 4, 6, 8, 10, 12, 13, 1, 9][at]!
    const whole = success(documentAt(index), index)
    const text = whole.turns[3]!.text
    const letters = text.search(/\p{L}{6,}[^\p{L}]*$/u)
    return withLast(whole, () => cut(text, letters < 0 ? text.length - 6 : letters + 3))
  }),
  // In other languages, and where the reply itself says so.
  withLast(success(documentAt(14), 14), () => "Einmal im Jahr, und zwar vor Beginn der"),
  withLast(success(documentAt(16), 16), () => "Mindestens zwei Wochen vorher, und zwar über das Por"),
  withLast(success(documentAt(18), 18), () => "Un tiers de la cargaison, jeté par-dessus bord au large du"),
  withLast(
    success(documentAt(20), 20),
    () => "No crió por tercer año consecutivo, a pesar de las islas artificiales que se levantaron para",
  ),
  withLast(success(documentAt(23), 23), () => "За девятнадцать миль; высота башни"),
  withLast(success(documentAt(22), 22), () => "はい。一人一日二リットルまで無料です。ただし雨が少ない年は"),
  withAnswer(success(documentAt(7), 7), (text) => text.slice(0, text.indexOf("```toml") + 12)),
  withAnswer(success(documentAt(11), 11), (text) =>
    text.replace(/, so it was easy.*/s, " and showed a tail of 24 degrees, which is about as wide as"),
  ),
]

const leaked = (): readonly Case[] =>
  leaks.map(([before, after], at) => {
    const index = at < 9 ? at : at + 1
    const change = (text: string): string => `${before}${text}${after}`
    const whole = success(documentAt(index), index)
    return at % 2 === 0 ? withAnswer(whole, change) : withLast(whole, change)
  })

const brokenTurns = (): readonly Case[] => {
  const whole = (index: number): Case => success(documentAt(index), index)
  const asked = (index: number): Turn => whole(index).turns[0]!
  return [
    withLast(whole(1), () => ""),
    withLast(whole(3), () => " \n\t"),
    withLast({ ...whole(5) }, () => whole(5).turns[1]!.text),
    withAnswer(whole(9), () => documentAt(9).question),
    withLast(whole(12), (text) => `${text} ${"It raises the level in your blood. ".repeat(400)}`),
    { ...whole(15), turns: [asked(15), ...whole(15).turns] },
    { ...whole(17), turns: whole(17).turns.slice(0, 3) },
    {
      ...whole(20),
      turns: [...whole(20).turns, asked(20), { role: "assistant", text: "Ya se lo he dicho: a las lluvias." }],
    },
  ]
}

const leakedContexts = (): readonly Case[] =>
  [0, 1, 2, 6, 12, 14, 18, 23].map((index, at) => {
    const document = documentAt(index)
    const whole = failure(document, index, document.memory, at % 4 === 3 ? "abstain" : "from_memory")
    const telling = [chunk(document, 0), secondEdition(document), overlapping(document), tellingNeighbour(document)][
      at % 4
    ]!
    const answer = at % 4 === 3 ? abstentions[document.language] : document.memory
    return { ...whole, turns: conversation(document.question, answer), shown: [...whole.shown, telling] }
  })

const notAbstaining = (): readonly Case[] => [
  ...[1, 4, 15].map((index) => failure(documentAt(index), index, documentAt(index).memory, "abstain")),
  failure(
    documentAt(3),
    3,
    "The texts do not say so, but you have to change it within eight hours, or the account is locked.",
    "abstain",
  ),
  failure(documentAt(10), 10, "Certainly! Small repairs of up to 90 euros each are yours to pay.", "abstain"),
  failure(documentAt(19), 19, "Porque el calor agrieta el esmalte y puede provocar un incendio.", "abstain"),
]

/** All labelled replies, in a fixed order. */
export const labelledReplies = (): readonly Labelled[] => {
  const named = (label: string, cases: readonly Case[]): readonly Labelled[] =>
    cases.map((each, at) => ({ id: `${label}-${at + 1}`, label, ...each }))
  return [
    ...named("good", documents.flatMap(good)),
    ...named("invented-quote", inventedQuotes()),
    ...named("unknown-source", unknownSources()),
    ...named(
      "uncited",
      uncitedAnswers.map(([index, text]) => ({
        ...success(documentAt(index), index),
        turns: conversation(documentAt(index).question, text),
      })),
    ),
    ...named("truncated", truncated()),
    ...named("leaked-prompt", leaked()),
    ...named("turns", brokenTurns()),
    ...named("leaked-context", leakedContexts()),
    ...named("not-abstaining", notAbstaining()),
  ]
}

/** The file's lines. */
export const labelledLines = (): string =>
  labelledReplies()
    .map((reply) => `${JSON.stringify(reply)}\n`)
    .join("")

if (import.meta.main) {
  writeFileSync(new URL("verification.jsonl", import.meta.url), labelledLines())
  const counts = Map.groupBy(labelledReplies(), ({ label }) => label)
  for (const [label, replies] of counts) console.log(label, replies.length)
}
