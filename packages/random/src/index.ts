export { truncatedNormals, uniforms } from "./Draws.ts"
export { fnv1aOfBytes, fnv1aOfCodePoints } from "./Fnv1a.ts"
export { Random, type RandomState } from "./Random.ts"
export { lcg32, mix32, mulberry32, scrambledLcg32, splitMix32, type Words, xorshift128 } from "./Words.ts"
