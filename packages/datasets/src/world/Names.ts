import type { Random } from "@tandem/random"
import { type Kind, kinds } from "./Relation.ts"

/** How a name is made of two parts, and where the parts come from: a list, or words invented for each world. */
interface Pattern {
  readonly first: readonly string[] | "invented"
  readonly second: readonly string[] | "invented"
  readonly join: (first: string, second: string) => string
}

const patterns: Readonly<Record<Kind, Pattern>> = {
  person: { first: "invented", second: "invented", join: (first, second) => `${first} ${second}` },
  town: {
    first: "invented",
    second: [
      "Ford",
      "Cross",
      "Haven",
      "Bridge",
      "Hollow",
      "Market",
      "Wells",
      "Moor",
      "Cliff",
      "Falls",
      "Rock",
      "Heath",
      "Vale",
      "Spire",
      "Orchard",
      "Bay",
    ],
    join: (first, second) => `${first} ${second}`,
  },
  ship: {
    first: [
      "Amber",
      "Brave",
      "Crystal",
      "Dancing",
      "Eager",
      "Faithful",
      "Golden",
      "Humble",
      "Iron",
      "Jolly",
      "Lonely",
      "Merry",
      "Northern",
      "Proud",
      "Restless",
      "Thirsty",
    ],
    second: [
      "Heron",
      "Duchess",
      "Comet",
      "Pilgrim",
      "Dolphin",
      "Lantern",
      "Sparrow",
      "Widow",
      "Anvil",
      "Gull",
      "Harvest",
      "Rose",
      "Sultan",
      "Tempest",
      "Unicorn",
      "Wanderer",
    ],
    join: (first, second) => `the ${first} ${second}`,
  },
  guild: {
    first: [
      "Silent",
      "Copper",
      "Patient",
      "Hidden",
      "Royal",
      "Crooked",
      "Sober",
      "Western",
      "Learned",
      "Barefoot",
      "Ancient",
      "Honest",
      "Midnight",
      "Velvet",
      "Stubborn",
      "Seventh",
    ],
    second: [
      "Weavers",
      "Masons",
      "Bakers",
      "Coopers",
      "Tanners",
      "Saddlers",
      "Potters",
      "Chandlers",
      "Armourers",
      "Carpenters",
      "Brewers",
      "Engravers",
      "Tailors",
      "Porters",
      "Gardeners",
      "Surgeons",
    ],
    join: (first, second) => `the ${first} ${second}`,
  },
  creature: {
    first: "invented",
    second: [
      "stag",
      "serpent",
      "hawk",
      "lynx",
      "boar",
      "spider",
      "wolf",
      "beetle",
      "bear",
      "eel",
      "mole",
      "vulture",
      "lizard",
      "crane",
      "fox",
      "leech",
    ],
    join: (first, second) => `the ${first} ${second}`,
  },
}

const onsets = [
  "bar",
  "bel",
  "cor",
  "dal",
  "dor",
  "el",
  "fal",
  "gar",
  "hal",
  "il",
  "jor",
  "kel",
  "lor",
  "mor",
  "nal",
  "or",
  "pel",
  "quil",
  "ras",
  "sel",
  "tor",
  "ul",
  "vel",
  "wil",
  "yor",
  "zan",
  "bram",
  "cael",
  "fen",
  "thal",
]
const endings = [
  "dan",
  "vark",
  "nath",
  "dea",
  "vel",
  "meth",
  "ria",
  "nik",
  "dil",
  "vion",
  "mis",
  "rith",
  "do",
  "von",
  "mor",
  "nos",
  "toth",
  "duin",
  "gum",
  "rur",
  "bus",
  "wen",
  "wyn",
  "kyl",
]

/** All words that are invented, 720 different ones, in a drawn order. */
export const inventWords = (random: Random): readonly string[] =>
  random.shuffle(onsets.flatMap((onset) => endings.map((ending) => onset + ending)))

/**
 * `count` names for every kind, each a pair out of `parts` first and `parts` second parts; as far as `count` allows,
 * every part is used equally often, so that the parts of any name also occur in others.
 */
export const inventNames = (
  random: Random,
  count: number,
  parts: number,
): Readonly<Record<Kind, readonly string[]>> => {
  const words = inventWords(random).map(capitalise)
  let used = 0
  const draw = (source: Pattern["first"]): readonly string[] => {
    if (source !== "invented") return random.sample(source, parts)
    used += parts
    return words.slice(used - parts, used)
  }
  const names = (kind: Kind): readonly string[] => {
    const { first, second, join } = patterns[kind]
    const firsts = draw(first)
    const seconds = draw(second)
    return evenPairs(random, parts, count).map(([a, b]) => join(firsts[a]!, seconds[b]!))
  }
  const [person, town, ship, guild, creature] = kinds.map(names)
  return { person: person!, town: town!, ship: ship!, guild: guild!, creature: creature! }
}

/** `count` different pairs of numbers below `size`: diagonals of a shuffled square, so that all numbers come equally often. */
const evenPairs = (random: Random, size: number, count: number): readonly (readonly [number, number])[] => {
  const rows = random.shuffle(Array.from({ length: size }, (_, index) => index))
  const columns = random.shuffle(Array.from({ length: size }, (_, index) => index))
  const diagonals = random.shuffle(Array.from({ length: size }, (_, index) => index))
  const pairs = diagonals.flatMap((shift) =>
    rows.map((row, index): readonly [number, number] => [row, columns[(index + shift) % size]!]),
  )
  return pairs.slice(0, count)
}

/** A text with its first letter in upper case. */
export const capitalise = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
