/** 16-bit floats as their bit patterns, converted from and to 32-bit floats, rounding to the nearest, ties to even. */

const scratch = new Float32Array(1)
const bits = new Uint32Array(scratch.buffer)

/** The IEEE half-precision pattern nearest to `value`; beyond 65504 it becomes infinite, NaN stays NaN. */
export const toFloat16 = (value: number): number => {
  scratch[0] = value
  const whole = bits[0]!
  const sign = (whole >>> 16) & 0x8000
  const magnitude = whole & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // Subnormal halves are multiples of 2^-24: adding 0.5 moves the value's bits there and rounds them to even.
    scratch[0] = Math.abs(value) + 0.5
    return sign | (bits[0]! - 0x3f000000)
  }
  const odd = (magnitude >>> 13) & 1
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13)
}

/** The number behind a half-precision pattern. */
export const fromFloat16 = (pattern: number): number => {
  const sign = pattern & 0x8000 ? -1 : 1
  const exponent = (pattern >>> 10) & 0x1f
  const fraction = pattern & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The bfloat16 pattern nearest to `value`; NaN stays NaN. */
export const toBfloat16 = (value: number): number => {
  scratch[0] = value
  const whole = bits[0]!
  if ((whole & 0x7fffffff) > 0x7f800000) return (whole >>> 16) | 0x40
  return ((whole + 0x7fff + ((whole >>> 16) & 1)) >>> 16) & 0xffff
}

/** The number behind a bfloat16 pattern. */
export const fromBfloat16 = (pattern: number): number => {
  bits[0] = pattern << 16
  return scratch[0]!
}
