import { type Tensor, toInt64, type Value, zeros } from "@tandem/onnx"
import { InvalidReference } from "./Errors.ts"

/**
 * A tensor of a reference in the type that the model's input wants: integers and truth values are converted into one
 * another, floats to 32 bits. A missing tensor, and one that does not fit the input's static dimensions, end in
 * `InvalidReference`.
 */
export const fitInput = (input: Value, given: Tensor | undefined): Tensor => {
  const tensor = `in.${input.name}`
  const expected = `${input.type}[${input.dims ?? "?"}]`
  if (given === undefined) {
    throw new InvalidReference({ message: `there is no value for the model's input ${input.name}`, tensor, expected })
  }
  const fits =
    input.dims === undefined ||
    (input.dims.length === given.dims.length &&
      input.dims.every((dim, index) => typeof dim === "string" || dim === given.dims[index]))
  const { type = given.type } = input
  if (!fits || type === "string" || given.type === "string") {
    const found = `${given.type}[${given.dims}]`
    throw new InvalidReference({ message: `${tensor} does not fit the model's input`, tensor, expected, found })
  }
  if (type === given.type) return given
  const numbers = Array.from(given.data, Number)
  const data = zeros(type, numbers.length)
  for (let i = 0; i < numbers.length; i++) {
    if (data instanceof BigInt64Array) data[i] = toInt64(numbers[i]!)
    else if (data instanceof BigUint64Array) data[i] = BigInt.asUintN(64, toInt64(numbers[i]!))
    else data[i] = numbers[i]!
  }
  return { type, dims: given.dims, data }
}
