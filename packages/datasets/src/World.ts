import { Random } from "@tandem/random"
import type { Example } from "./Example.ts"
import type { Passage } from "./Passage.ts"
import { creatureRelations } from "./world/Creature.ts"
import { guildRelations } from "./world/Guild.ts"
import { inventNames } from "./world/Names.ts"
import { personRelations } from "./world/Person.ts"
import { type Kind, kinds, type Relation } from "./world/Relation.ts"
import { shipRelations } from "./world/Ship.ts"
import { townRelations } from "./world/Town.ts"
import { chooseStatement, wordPassage, wordQuestion } from "./world/Wording.ts"

/** The relations of the invented world by the kind of their subject; 8 for each, 40 in all. */
export const worldRelations: Readonly<Record<Kind, readonly Relation[]>> = {
  person: personRelations,
  town: townRelations,
  ship: shipRelations,
  guild: guildRelations,
  creature: creatureRelations,
}

export interface WorldOptions {
  readonly seed: number
  /** Things of each of the five kinds (default 80, at most 256): 8 passages each. */
  readonly entities?: number
  /** How many of these are held out for evaluation (default 24); their facts stand in the corpus like all others. */
  readonly heldOut?: number
  /** Differently worded training questions on a fact (default 5, at most 6). */
  readonly paraphrases?: number
  /** Different first parts and different second parts that the names of a kind are made of (default 10, at most 16). */
  readonly nameParts?: number
}

export interface WorldStatistics {
  readonly passages: number
  readonly entities: number
  readonly relations: number
  readonly trainingQuestions: number
  readonly trainingEntities: number
  readonly evaluationQuestions: number
  readonly evaluationEntities: number
  /** Evaluation questions in a phrasing that no training question has. */
  readonly unseenPhrasings: number
}

/** A knowledge base about an invented world, with questions on it. */
export interface World {
  readonly seed: number
  readonly passages: readonly Passage[]
  readonly train: readonly Example[]
  readonly dev: readonly Example[]
  readonly statistics: WorldStatistics
  /** The relations, as `kind.name`, with how many training and evaluation questions ask for each. */
  readonly relations: Readonly<Record<string, { readonly train: number; readonly dev: number }>>
}

interface Fact {
  readonly subject: string
  readonly kind: Kind
  readonly relation: Relation
  readonly passage: Passage
  readonly value: string
}

/**
 * Invents a world: people, towns, ships, guilds and creatures, one passage for each thing and relation, several
 * differently worded questions on most of the things for training, and one question on each fact about the others for
 * evaluation, a quarter of them in phrasings that training does not have. The same seed gives the same world, byte for byte.
 *
 * What makes it a test of learning rather than of looking up words: a name occurs in 8 passages of its own and in
 * others as a value or in passing; the words of a question other than the name hardly occur in its passage, several
 * wordings of both have to be matched; and evaluation is about things that no training question names, though the parts
 * of their names occur in other names.
 *
 * @example
 * ```ts
 * import { makeWorld } from "@tandem/datasets"
 *
 * const world = makeWorld({ seed: 1 })
 * console.log(world.dev[0]?.query, world.statistics)
 * ```
 */
export const makeWorld = ({
  seed,
  entities = 80,
  heldOut = 24,
  paraphrases = 5,
  nameParts = 10,
}: WorldOptions): World => {
  if (entities > nameParts ** 2 || heldOut >= entities || heldOut < 1 || paraphrases < 1) {
    throw new RangeError(`a world cannot have ${entities} things of a kind of which ${heldOut} are held out`)
  }
  const random = Random.fromSeed(seed)
  const names = inventNames(random.derive("names"), entities, nameParts)
  const facts = kinds.flatMap((kind) =>
    names[kind].flatMap((subject) =>
      worldRelations[kind].map((relation): Fact => makeFact(random, names, kind, subject, relation)),
    ),
  )
  // The order of the names is random and spreads their parts evenly, so every part also occurs in training questions.
  const held = new Set(kinds.flatMap((kind) => names[kind].slice(0, heldOut)))
  const training = facts.filter(({ subject }) => !held.has(subject))
  const evaluation = random.derive("evaluation").shuffle(facts.filter(({ subject }) => held.has(subject)))
  const unseen = Math.round(evaluation.length / 4)

  const train = random.derive("order").shuffle(
    training.flatMap((fact) => {
      const own = random.derive("train", fact.passage.id)
      return own
        .sample(fact.relation.questions, paraphrases)
        .map((question, index) => example(own, fact, `t${fact.passage.id}-${index + 1}`, question, "seen"))
    }),
  )
  const dev = random.derive("dev order").shuffle(
    evaluation.map((fact, index) => {
      const own = random.derive("dev", fact.passage.id)
      const phrasing = index < unseen ? "unseen" : "seen"
      const questions = phrasing === "unseen" ? fact.relation.unseen : fact.relation.questions
      return example(own, fact, `d${fact.passage.id}`, own.choice(questions), phrasing)
    }),
  )
  const asked = askedFor(train)
  const askedDev = askedFor(dev)
  return {
    seed,
    passages: random.derive("corpus").shuffle(facts.map(({ passage }) => passage)),
    train,
    dev,
    statistics: {
      passages: facts.length,
      entities: kinds.length * entities,
      relations: kinds.reduce((sum, kind) => sum + worldRelations[kind].length, 0),
      trainingQuestions: train.length,
      trainingEntities: kinds.length * (entities - heldOut),
      evaluationQuestions: dev.length,
      evaluationEntities: held.size,
      unseenPhrasings: unseen,
    },
    relations: Object.fromEntries(
      [...asked].map(([name, count]) => [name, { train: count, dev: askedDev.get(name) ?? 0 }]),
    ),
  }
}

/** How many questions ask for each relation, in the order of the relations' names. */
const askedFor = (examples: readonly Example[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const name of examples.map(({ metadata }) => String(metadata?.["relation"])).sort()) {
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

const makeFact = (
  random: Random,
  names: Readonly<Record<Kind, readonly string[]>>,
  kind: Kind,
  subject: string,
  relation: Relation,
): Fact => {
  const id = `${kind}-${names[kind].indexOf(subject) + 1}-${relation.name}`
  const own = random.derive("fact", id)
  const other = (wanted: Kind) => own.choice(names[wanted].filter((name) => name !== subject))
  const { value: source } = relation
  const value =
    "kind" in source ? other(source.kind) : "list" in source ? own.choice(source.list) : String(300 + own.integer(600))
  const passers = { person: other("person"), town: other("town") }
  const text = wordPassage(own, chooseStatement(own, relation), subject, value, passers)
  return {
    subject,
    kind,
    relation,
    value,
    passage: { id, text, metadata: { document: subject, kind, relation: relation.name } },
  }
}

const example = (random: Random, fact: Fact, id: string, question: string, phrasing: "seen" | "unseen"): Example => ({
  id,
  query: wordQuestion(random, question, fact.subject),
  positives: [fact.passage.id],
  negatives: [],
  answers: [fact.value],
  group: fact.subject,
  metadata: { relation: `${fact.kind}.${fact.relation.name}`, phrasing },
})
