import type { HandlerOptions } from "../HandlerOptions.ts"

/**
 * Options out of the variables that platforms set: `TANDEM_API_KEY`, `TANDEM_NAME`, and `TANDEM_ORIGINS`, which commas part.
 * What is absent or empty is as usual.
 */
export const optionsFrom = (variable: (name: string) => unknown): HandlerOptions => {
  const text = (name: string): string | undefined => {
    const value = variable(name)
    return typeof value === "string" && value !== "" ? value : undefined
  }
  const [apiKey, name, origins] = ["TANDEM_API_KEY", "TANDEM_NAME", "TANDEM_ORIGINS"].map(text)
  return {
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(name === undefined ? {} : { name }),
    ...(origins === undefined ? {} : { origins: origins.split(",").map((origin) => origin.trim()) }),
  }
}
