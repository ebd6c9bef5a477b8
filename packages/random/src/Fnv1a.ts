/** FNV-1a of a text, a signed 32-bit integer: one step for each code point. A seed for a named stream. */
export const fnv1aOfCodePoints = (text: string): number => {
  let hash = offset
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0)!, prime)
  return hash
}

/** FNV-1a of a text, a signed 32-bit integer: one step for each byte of its UTF-16 units, the low one first. */
export const fnv1aOfBytes = (text: string): number => {
  let hash = offset
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    hash = Math.imul(hash ^ (unit & 0xff), prime)
    hash = Math.imul(hash ^ (unit >>> 8), prime)
  }
  return hash
}

const offset = 0x811c9dc5
const prime = 0x01000193
