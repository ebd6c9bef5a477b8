import { tensorLocations } from "@tandem/onnx"
import { splitMix32, uniforms } from "@tandem/random"

/** Seeded random numbers, so that a failing test fails again. */
export const seeded = (seed: number): ((below: number) => number) => {
  const uniform = uniforms(splitMix32(seed))
  return (below) => Math.floor(uniform() * below)
}

type Random = ReturnType<typeof seeded>

/** A copy in which a few bytes are others, missing or too many, near one of the places. */
const changedNear = (bytes: Uint8Array, places: readonly number[], random: Random): Uint8Array => {
  let copy = Array.from(bytes)
  for (let count = 1 + random(3); count > 0; count--) {
    const at = Math.min((places[random(places.length)] ?? 0) + random(300), copy.length - 1)
    const kind = random(8)
    if (kind < 3) copy[at] = random(256)
    else if (kind < 6) copy[at] = copy[at]! ^ (1 << random(8))
    else copy = kind === 6 ? copy.toSpliced(at, 0, random(256)) : copy.toSpliced(at, 1 + random(9))
  }
  return Uint8Array.from(copy)
}

/** A damaged copy of an ONNX file, mostly outside its weights, whose values would not matter; some are cut off. */
export const damagedModel = (bytes: Uint8Array, random: Random): Uint8Array => {
  if (random(5) === 0) return bytes.slice(0, random(bytes.length))
  const ends = [...tensorLocations(bytes).values()].flatMap(({ ranges }) => ranges.map(({ end }) => end))
  const before = Math.min(...ends, bytes.length)
  return changedNear(bytes, [0, random(before), random(bytes.length), ...ends], random)
}

/** A damaged copy of a safetensors file, mostly in its header; some are cut off. */
export const damagedSafetensors = (bytes: Uint8Array, random: Random): Uint8Array => {
  if (random(5) === 0) return bytes.slice(0, random(bytes.length))
  const header = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  return changedNear(bytes, [0, random(header), random(header), random(bytes.length)], random)
}
