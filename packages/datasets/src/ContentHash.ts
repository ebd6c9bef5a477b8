import { mix32 } from "@tandem/random"

/**
 * 96 bits of a text as 24 hexadecimal digits, the same on every runtime: three lanes of 32-bit multiply-and-xor with
 * different constants, each finished as in MurmurHash3. It tells texts apart; it does not protect against an adversary.
 */
export const contentHash = (text: string): string => {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  let c = 0xc2b2ae35
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    a = Math.imul(a ^ unit, 0x9e3779b1)
    b = Math.imul(b ^ unit, 0x5f356495)
    c = Math.imul(c ^ unit, 0x2c1b3c6d)
    a = a ^ (b >>> 15)
    b = b ^ (c >>> 13)
    c = c ^ (a >>> 16)
  }
  return [a, b, c]
    .map((lane) =>
      mix32(lane ^ text.length)
        .toString(16)
        .padStart(8, "0"),
    )
    .join("")
}

/** The id of a passage that brings none: its title and text decide. */
export const passageIdOf = (text: string, title?: string): string =>
  `p-${contentHash(title === undefined ? text : `${title}\u0000${text}`)}`
