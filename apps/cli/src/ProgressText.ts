/** `75` → `1:15`, `3700` → `1:01:40`. */
export const clock = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (value: number) => String(value).padStart(2, "0")
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

/** A figure in 0 to 1 as tables show it: `0.712`. */
export const figure = (value: number): string => value.toFixed(3)

/** A count with separators. */
export const quantity = (count: number): string => count.toLocaleString("en-US")

/** Something per second, with as many digits as are worth reading. */
export const rate = (perSecond: number): string =>
  perSecond >= 100 ? quantity(Math.round(perSecond)) : perSecond.toFixed(perSecond >= 10 ? 0 : 1)

/** The text on one line, without characters that steer a terminal. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ")

/**
 * A line that a terminal of that width shows without wrapping: parts (separated by two spaces) that do not fit are
 * left out from the end, and a first part that is too long itself is cut.
 */
export const fit = (line: string, columns: number | undefined): string => {
  // A character in the last column makes some terminals wrap.
  const width = (columns === undefined || columns <= 0 ? 80 : columns) - 1
  const parts = printable(line).split("  ")
  while (parts.length > 1 && parts.join("  ").length > width) parts.pop()
  const kept = parts.join("  ")
  return kept.length <= width ? kept : `${kept.slice(0, Math.max(0, width - 1))}…`
}
