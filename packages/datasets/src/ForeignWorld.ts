import { Random } from "@tandem/random"
import type { Example } from "./Example.ts"
import type { Passage } from "./Passage.ts"
import { capitalise, inventWords } from "./world/Names.ts"

export interface ForeignWorldOptions {
  readonly seed: number
  /** Inns that passages and questions are about (default 128, a multiple of 4 below 256); lessons are about the others. */
  readonly inns?: number
  /** Lessons for a reader (default 25,600). */
  readonly readerLessons?: number
}

/** A question with the passage that answers it, about an inn that no other data name. */
export interface Lesson {
  readonly id: string
  readonly query: string
  readonly answers: readonly string[]
  readonly positives: readonly Passage[]
}

export interface ForeignWorldStatistics {
  readonly passages: number
  readonly trainingQuestions: number
  readonly evaluationQuestions: number
  /** Evaluation questions in a wording that no training question has. */
  readonly unseenPhrasings: number
  readonly retrieverLessons: number
  readonly readerLessons: number
}

/** Facts in one language, and questions about them in another. */
export interface ForeignWorld {
  readonly seed: number
  readonly passages: readonly Passage[]
  /** Questions with answers; nothing says which passages answer them. */
  readonly train: readonly Example[]
  /** Questions about inns that no training question is about, half of them in wordings that no training question has. */
  readonly dev: readonly Example[]
  readonly lessons: {
    readonly retriever: readonly Lesson[]
    /** In each of them somebody else serves, so that nothing can be learnt by heart. */
    readonly reader: readonly Lesson[]
  }
  readonly statistics: ForeignWorldStatistics
}

/**
 * Invents inns and who serves in them. Passages are English; questions are in an invented language that has its own words
 * for the inns' names and for what people do, so that a question shares no word with the passage that answers it. Who
 * serves is drawn out of 14,400 names: nothing but the right passage tells it, and nothing but training finds that. The
 * same seed gives the same world, byte for byte.
 *
 * It is made for training a retriever and a reader together, from questions and answers alone: `lessons` are about other
 * inns, and give both something to begin with.
 *
 * @example
 * ```ts
 * import { makeForeignWorld } from "@tandem/datasets"
 *
 * const { passages, dev } = makeForeignWorld({ seed: 1 })
 * console.log(passages[0]?.text, dev[0]?.query, dev[0]?.answers)
 * ```
 */
export const makeForeignWorld = ({ seed, inns = 128, readerLessons = 25_600 }: ForeignWorldOptions): ForeignWorld => {
  if (inns < 4 || inns % 4 !== 0 || inns >= innsOfAll) {
    throw new RangeError(`a foreign world has a multiple of 4 inns below ${innsOfAll}, not ${inns}`)
  }
  const random = Random.fromSeed(seed)
  const words = wordsOf(random.derive("words"))
  const names = random.derive("names").shuffle(words.names)
  const fact = (own: Random, inn: Name, role: number): Fact => ({
    inn,
    role,
    person: `${own.choice(words.given)} ${own.choice(words.family)}`,
  })
  const factsOf = (own: Random, some: readonly Name[]): readonly Fact[] =>
    some.flatMap((inn) => roles.map((_, role) => fact(own, inn, role)))
  const passage = (own: Random, id: string, { inn, role, person }: Fact): Passage => ({
    id,
    text: capitalise(fill(own.choice(statements), roles[role]!, inn.english, person)),
  })
  const question = ({ inn, role }: Fact, wording: string): string =>
    capitalise(fill(wording, words.roles[role]!, inn.foreign))
  const example = (each: Fact, id: string, wording: string, positives: readonly string[]): Example => ({
    id,
    query: question(each, wording),
    positives,
    negatives: [],
    answers: [each.person],
  })
  const lesson = (each: Fact, id: string, wording: string, positive: Passage): Lesson => ({
    id,
    query: question(each, wording),
    answers: [each.person],
    positives: [positive],
  })

  const known = factsOf(random.derive("facts"), names.slice(0, inns))
  const others = names.slice(inns)
  const held = known.length / 4
  const passages = known.map((each, index) => passage(random.derive("passage", index), `p${index + 1}`, each))
  const evaluation = random.derive("evaluation")
  const learnt = random.derive("retriever")
  const copied = random.derive("reader")
  const train = known
    .slice(held)
    .flatMap((each, index) =>
      questions.map((wording, copy) => example(each, `t${held + index + 1}-${copy + 1}`, wording, [])),
    )
  const dev = known.slice(0, held).map((each, index) => {
    const wording = evaluation.choice(index % 2 === 0 ? questions : unseenQuestions)
    return example(each, `d${index + 1}`, wording, [passages[index]!.id])
  })
  const toFind = factsOf(learnt, others).flatMap((each, index) => {
    const positive = passage(learnt, `r${index + 1}`, each)
    return questions.map((wording, copy) => lesson(each, `r${index + 1}-${copy + 1}`, wording, positive))
  })
  const toCopy = Array.from({ length: readerLessons }, (_, index) => {
    const each = fact(copied, copied.choice(others), copied.integer(roles.length))
    const id = `g${index + 1}`
    return lesson(each, id, copied.choice(questions), passage(copied, `${id}-passage`, each))
  })
  return {
    seed,
    passages,
    train: random.derive("train").shuffle(train),
    dev: evaluation.shuffle(dev),
    lessons: { retriever: learnt.shuffle(toFind), reader: toCopy },
    statistics: {
      passages: passages.length,
      trainingQuestions: train.length,
      evaluationQuestions: dev.length,
      unseenPhrasings: Math.floor(dev.length / 2),
      retrieverLessons: toFind.length,
      readerLessons,
    },
  }
}

interface Name {
  readonly english: string
  readonly foreign: string
}

interface Fact {
  readonly inn: Name
  readonly role: number
  readonly person: string
}

const adjectives =
  "amber blue copper drunken gentle golden hidden iron jolly lucky old red silver tall white wild".split(" ")
const animals = "badger bear boar crane eagle falcon fox goose hare heron lion otter raven stag swan wolf".split(" ")
const roles = "baker brewer cook gardener guard owner porter singer".split(" ")
const innsOfAll = adjectives.length * animals.length
/** Given names and family names of a world. */
const givenNames = 120

const statements = [
  "the {role} of the {inn} is {person}.",
  "the {inn} has {person} as its {role}.",
  "{person} serves the {inn} as {role}.",
]
const questions = ["ko {role} mi {inn}?", "{inn} ru {role}?", "ko {inn} mi {role}?"]
/** Wordings that only evaluation questions have. */
const unseenQuestions = ["{role} ru {inn}?", "ru {inn} ko {role}?"]

const fill = (wording: string, role: string, inn: string, person = ""): string =>
  wording.replace("{role}", role).replace("{inn}", inn).replace("{person}", person)

/** The words of one world: all of them different. */
const wordsOf = (random: Random) => {
  const invented = inventWords(random)
  let used = 0
  const take = (count: number): readonly string[] => {
    used += count
    return invented.slice(used - count, used)
  }
  const [foreignAdjectives, foreignAnimals] = [take(adjectives.length), take(animals.length)]
  return {
    names: adjectives.flatMap((adjective, i) =>
      animals.map(
        (animal, j): Name => ({
          english: `${capitalise(adjective)} ${capitalise(animal)}`,
          foreign: `${foreignAdjectives[i]} ${foreignAnimals[j]}`,
        }),
      ),
    ),
    roles: take(roles.length),
    given: take(givenNames).map(capitalise),
    family: take(givenNames).map(capitalise),
  }
}
