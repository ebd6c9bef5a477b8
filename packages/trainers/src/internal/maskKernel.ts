/** Which masks to draw: for each array its rate and its number among all masks, and the numbers that name the draw. */
export interface MaskArgument {
  readonly seed: number
  readonly step: number
  readonly rates: readonly number[]
  readonly places: readonly number[]
}

/**
 * Fills each array with dropout's keep flags (1 keeps) by AES in counter mode: the key is the seed, the counter starts
 * at (step, number of the array), so any mask of any step can be drawn again alone, on every platform alike.
 * A rate is a number of 256ths.
 */
export const masks = async (
  arrays: Readonly<Record<string, readonly unknown[]>>,
  { seed, step, rates, places }: MaskArgument,
): Promise<null> => {
  const secret = new Uint8Array(16)
  new DataView(secret.buffer).setFloat64(0, seed)
  const key = await crypto.subtle.importKey("raw", secret, "AES-CTR", false, ["encrypt"])
  for (const [index, array] of (arrays["masks"] ?? []).entries()) {
    if (!(array instanceof Uint8Array)) throw new Error("a dropout mask is an array of bytes")
    const counter = new Uint8Array(16)
    const view = new DataView(counter.buffer)
    view.setUint32(0, step)
    view.setUint32(4, places[index]!)
    for (let from = 0; from < array.length; from += piece) {
      view.setUint32(12, from / 16)
      const size = Math.min(piece, array.length - from)
      const random = await crypto.subtle.encrypt(
        { name: "AES-CTR", counter, length: 64 },
        key,
        nothing.subarray(0, Math.ceil(size / 4) * 4),
      )
      array.set(keep(random, Math.round((rates[index] ?? 0) * 256)).subarray(0, size), from)
    }
  }
  return null
}

/** Bytes that are drawn at once. A multiple of 16, the cipher's block. */
const piece = 1 << 20
const nothing = new Uint8Array(piece)

/** Per byte 1 where it is at least `threshold` (0 to 255), four bytes at a time without carries between them. */
const keep = (random: ArrayBuffer, threshold: number): Uint8Array => {
  const high = 0x80808080
  const low = Math.imul(threshold & 0x7f, 0x01010101)
  const words = new Uint32Array(random)
  if (threshold < 128) {
    for (let i = 0; i < words.length; i++) words[i] = ((words[i]! | ((words[i]! | high) - low)) & high) >>> 7
  } else {
    for (let i = 0; i < words.length; i++) words[i] = (words[i]! & ((words[i]! | high) - low) & high) >>> 7
  }
  return new Uint8Array(random)
}
