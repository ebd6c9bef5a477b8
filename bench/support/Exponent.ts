/** A power law y = factor · x^exponent. */
export interface PowerLaw {
  readonly exponent: number
  readonly factor: number
  /** Share of the variance of log y that the law explains. */
  readonly fit: number
}

/** The power law nearest to points of positive coordinates, at least two of them apart: least squares of the logarithms. */
export const powerLaw = (points: readonly (readonly [x: number, y: number])[]): PowerLaw => {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [mx, my] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))]
  const covariance = mean(logs.map(([x, y]) => (x - mx) * (y - my)))
  const exponent = covariance / mean(logs.map(([x]) => (x - mx) ** 2))
  const total = mean(logs.map(([, y]) => (y - my) ** 2))
  const rest = mean(logs.map(([x, y]) => (y - my - exponent * (x - mx)) ** 2))
  return { exponent, factor: Math.exp(my - exponent * mx), fit: total === 0 ? 1 : 1 - rest / total }
}
