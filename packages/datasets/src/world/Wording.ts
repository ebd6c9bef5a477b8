import type { Random } from "@tandem/random"
import { capitalise } from "./Names.ts"
import type { Relation } from "./Relation.ts"

const leads = [
  "",
  "",
  "",
  "According to the old chronicle, ",
  "It is common knowledge that ",
  "As every pedlar will confirm, ",
  "The almanac notes that ",
  "Whatever else may be doubted, ",
]

const clauseFrames = [
  "{q}?",
  "Tell me, {q}?",
  "One more question: {q}?",
  "Please, {q}?",
  "I wonder, {q}?",
  "Does anyone know, {q}?",
]

const phraseFrames = [
  "Name {q}.",
  "Tell me {q}.",
  "I want to know {q}.",
  "Please give {q}.",
  "Does anyone know {q}?",
  "I am looking for {q}.",
]

/** Second sentences; those with a `{p}` or a `{t}` bring a person or a town that has nothing to do with the first. */
const asides = [
  "{p} of {t} has a song about it.",
  "A letter from {p} mentions it in passing.",
  "So it was told one evening in {t}.",
  "Even the children of {t} can recite that.",
  "{p} once lost a bet over this.",
  "Nobody asked {p} for an opinion.",
  "A painting in {t} records the scene.",
  "Most people would rather talk about the weather.",
  "There is a ballad with forty verses on the matter.",
  "Some say otherwise, though never in public.",
  "That has not changed for a generation.",
  "Travellers seldom believe it at first.",
]

/** Names that a second sentence may mention. */
export interface Passers {
  readonly person: string
  readonly town: string
}

/** A statement of the relation: the plain one in two of five cases, so that word matching is not without any hope. */
export const chooseStatement = (random: Random, { statements, plain }: Relation): string =>
  random.chance(0.4) ? plain : random.choice(statements)

/** A passage: the statement with its subject and value, sometimes led in, often followed by a second sentence. */
export const wordPassage = (
  random: Random,
  statement: string,
  subject: string,
  value: string,
  passers: Passers,
): string => {
  const fact = statement.replace("{e}", subject).replace("{v}", value)
  const aside = random.chance(0.5)
    ? ` ${capitalise(random.choice(asides).replace("{p}", passers.person).replace("{t}", passers.town))}`
    : ""
  return `${capitalise(random.choice(leads) + fact)}.${aside}`
}

/** A question in one of the frames that fit it: a clause or a noun phrase that starts with "the". */
export const wordQuestion = (random: Random, question: string, subject: string): string => {
  const frames = question.startsWith("the ") ? phraseFrames : clauseFrames
  return capitalise(random.choice(frames).replace("{q}", question.replace("{e}", subject)))
}
