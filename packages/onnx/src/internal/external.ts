import { InvalidModel } from "../Errors.ts"
import { bytesPerElement, type ElementType, elementCount } from "../Tensor.ts"

/** A stretch of a data file. */
export interface ExternalPlace {
  readonly location: string
  readonly offset: number
  readonly length: number
}

/**
 * Where an external tensor lies, from the `external_data` entries of its proto. The location must stay inside the
 * model's folder.
 */
export const externalPlace = (
  entries: ReadonlyMap<string, string>,
  name: string,
  type: ElementType,
  dims: readonly number[],
): ExternalPlace => {
  const location = entries.get("location") ?? ""
  const inside = location !== "" && !location.startsWith("/") && !/^[A-Za-z]:|\\|\0|(^|\/)\.\.(\/|$)/.test(location)
  if (!inside) {
    throw new InvalidModel({
      message: `tensor ${name} points outside the model's folder`,
      tensor: name,
      expected: "a relative path without ..",
      found: location,
    })
  }
  const offset = Number(entries.get("offset") ?? 0)
  const length = Number(entries.get("length") ?? elementCount(dims) * bytesPerElement(type))
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new InvalidModel({ message: `tensor ${name} has an impossible place in ${location}`, tensor: name })
  }
  return { location, offset, length }
}
