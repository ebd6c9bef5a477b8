import { InvalidJsonError, TruncatedJsonError } from "../Errors.ts"
import type { Place } from "../Source.ts"

/** Parses JSON; `mayBeCut` says that nothing follows, so that open brackets mean a file that was cut off. */
export const parseJson = (text: string, place: Place, mayBeCut: boolean): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (mayBeCut && isOpen(text)) throw truncated(place)
    throw new InvalidJsonError({
      message: `${place.file}:${place.line} is not valid JSON`,
      ...place,
      expected: "JSON",
      found: error instanceof Error ? error.message : String(error),
    })
  }
}

export const truncated = (place: Place): TruncatedJsonError =>
  new TruncatedJsonError({
    message: `${place.file} ends in the middle of the JSON value that starts on line ${place.line}`,
    ...place,
    expected: "the closing bracket",
    found: "the end of the file",
    hint: "the file was probably cut off while it was copied or downloaded; get it again",
  })

/** Whether a bracket or a string of the text stands open at its end. */
const isOpen = (text: string): boolean => {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const unit = text[index]
    if (inString) {
      if (unit === "\\") index++
      else if (unit === '"') inString = false
    } else if (unit === '"') inString = true
    else if (unit === "{" || unit === "[") depth++
    else if (unit === "}" || unit === "]") depth--
  }
  return inString || depth > 0
}
