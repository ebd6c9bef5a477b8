/**
 * The rules of a `Precompiled` normalizer, as sentencepiece compiles them: a trie of byte sequences, and the texts that take
 * their place. Rules are applied as Python's `tokenizers` does it: to each cluster of characters that is shorter than six
 * bytes as a whole, else to each character; what no rule begins with stays.
 *
 * `compiled` are the bytes of `precompiled_charsmap`; too few of them end in a `RangeError`.
 */
export const charsmap = (compiled: Uint8Array): ((text: string) => string) => {
  const view = new DataView(compiled.buffer, compiled.byteOffset, compiled.byteLength)
  const size = view.getUint32(0, true)
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true))
  const texts = compiled.subarray(4 + size)
  const known = new Map<string, string | undefined>()

  /** What takes the place of a text that a rule's source begins; the shortest source counts. */
  const replacement = (text: string): string | undefined => {
    if (known.has(text)) return known.get(text)
    const at = shortestMatch(units, encoder.encode(text))
    const found = at === undefined ? undefined : textAt(texts, at)
    known.set(text, found)
    return found
  }

  const plain = /^[\x20-\x7e]*$/
  const untouched = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).every(
    (character) => replacement(character) === undefined,
  )
  return (text) => {
    if (untouched && plain.test(text)) return text
    let result = ""
    for (const { segment } of clusters.segment(text)) {
      const whole = encoder.encode(segment).length < 6 ? replacement(segment) : undefined
      if (whole !== undefined) result += whole
      else for (const character of segment) result += replacement(character) ?? character
    }
    return result
  }
}

/** The text at a place, up to the zero behind it. */
const textAt = (texts: Uint8Array, at: number): string => {
  const end = texts.indexOf(0, at)
  return decoder.decode(texts.subarray(at, end < 0 ? undefined : end))
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const clusters = new Intl.Segmenter("en", { granularity: "grapheme" })

/** The value of the shortest entry of a double array (darts-clone) that the bytes begin with. */
const shortestMatch = (units: Uint32Array, bytes: Uint8Array): number | undefined => {
  const unit = (place: number): number => units[place] ?? 0
  const offset = (value: number): number => (value >>> 10) << ((value & (1 << 9)) >>> 6)
  let place = offset(unit(0))
  for (const byte of bytes) {
    place ^= byte
    const value = unit(place)
    if ((value & 0x800000ff) >>> 0 !== byte) return undefined
    place ^= offset(value)
    if (((value >>> 8) & 1) === 1) return unit(place) & 0x7fffffff
  }
  return undefined
}
