import { InvalidGraph } from "@tandem/onnx"

/** Refuses a temperature that cannot be divided by. */
export const requireTemperature = (temperature: number, field = "temperature"): void => {
  if (temperature > 0 && Number.isFinite(temperature)) return
  throw new InvalidGraph({
    message: "scores are divided by a temperature that is not a positive number",
    field,
    expected: "a number above 0",
    found: `${temperature}`,
  })
}
