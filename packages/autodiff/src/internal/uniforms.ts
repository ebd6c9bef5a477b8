/**
 * Numbers in [0, 1) from a seed and a name, by SplitMix32 of integers alone, so that every JavaScript engine gives the
 * same ones.
 */
export const seededUniforms = (seed: number, name: string): (() => number) => {
  // FNV-1a
  let state = 0x811c9dc5
  for (const character of `${seed}:${name}`) state = Math.imul(state ^ character.codePointAt(0)!, 0x01000193)
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32
  }
}
