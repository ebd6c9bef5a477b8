/** A name that a reply gives as its source. */
export interface Citation {
  readonly name: string
  /** A passage's number where it is one. */
  readonly number?: number
}

const fileName =
  /[^\s()[\]{}"'“”„«»‹›<>,;:!?*`「」『』（）【】：、。]+\.(?:pdf|docx?|md|txt|html?|epub|jsonl?|odt|rtf|pptx?|xlsx?|csv)(?![\p{L}\p{N}])/giu
const address = /(?:https?:\/\/|www\.)[^\s()[\]<>"”»]+[^\s()[\]<>"”».,;:!?]/giu
const sourceWord =
  /(?:\b(?:sources?|quellen?|fuentes?|fontes?|fonti|bron|källa|réf(?:érence)?s?|źródło)|источники?|出典|来源|來源|출처)\s*[:：]\s*([^\n)\]）】]+)/giu
const bracketed = /[[【]([^\][【】\n]{1,120})[\]】](?!\()/g
const slug = /^[\p{L}\p{N}]+(?:[-_/][\p{L}\p{N}]+)+$/u
const place =
  /^(?:pp?|pages?|s|seiten?|páginas?|§+|sections?|abschnitt|chapters?|kap(?:itel)?|ch|art(?:icle)?|стр)?\.?\s*[\dивxlc–-]+$/iu

/** What a reply names as its sources: files, addresses, `[name-of-one]`, numbers of passages in brackets, `source: …`. */
export const citationsIn = (text: string): readonly Citation[] => {
  const plain = text.replace(/```[\s\S]*?(?:```|$)/g, " ")
  const named = [...plain.matchAll(sourceWord)]
    .flatMap(([, names = ""]) => names.split(/[;,，、]/))
    .map((name) =>
      name
        .replace(/[*_`"“”«»„]/g, "")
        .replace(/[.。]$/, "")
        .trim(),
    )
    .filter((name) => name !== "" && !place.test(name))
  const inBrackets = [...plain.matchAll(bracketed)]
    .flatMap(([, inside = ""]) => inside.split(/[;,]/))
    .map((name) => name.trim())
  const numbers = inBrackets.filter((name) => /^\d{1,3}$/.test(name))
  return [
    ...[...plain.matchAll(fileName), ...plain.matchAll(address)].map(([name]) => ({ name })),
    ...named.map((name) => (/^\[?\d{1,3}$/.test(name) ? numbered(name.replace("[", "")) : { name })),
    ...numbers.map(numbered),
    ...inBrackets.filter((name) => slug.test(name)).map((name) => ({ name })),
  ]
}

const numbered = (name: string): Citation => ({ name: `[${name}]`, number: Number(name) })

const plainName = (name: string): string => name.normalize("NFKC").toLowerCase().trim()
const baseOf = (path: string): string => path.split(/[/\\]/).at(-1) ?? path
const stemOf = (path: string): string => baseOf(path).replace(/\.[\p{L}\p{N}]{1,5}$/u, "")

const wordsOf = (name: string): readonly string[] =>
  (plainName(name).match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).filter((word) => !articles.has(word))

const articles = new Set(["the", "a", "an", "der", "die", "das", "le", "la", "les", "el", "los", "las", "see", "from"])

/** Whether a name speaks of a source: by its path, its file's name with or without ending, or words that all stand in it. */
export const isNameOf = (name: string, source: string, heading = ""): boolean => {
  const [given, path] = [plainName(name), plainName(source)]
  if (given === path || given === baseOf(path) || given === stemOf(path)) return true
  // A file's name with an ending is that file's, or another's.
  if (/\.[\p{L}\p{N}]{2,5}$/u.test(given) && !given.includes(" "))
    return path.endsWith(`/${given}`) || given.endsWith(`/${path}`)
  const [words, own] = [
    wordsOf(name),
    wordsOf(`${stemOf(source)} ${heading} ${source.split("/").slice(0, -1).join(" ")}`),
  ]
  const isOwn = (word: string): boolean =>
    own.some(
      (other) =>
        other === word ||
        (word.length >= 4 && (other.startsWith(word) || (word.startsWith(other) && other.length >= 4))),
    )
  return words.length > 0 && (words.every(isOwn) || wordsOf(stemOf(source)).every((word) => words.includes(word)))
}
