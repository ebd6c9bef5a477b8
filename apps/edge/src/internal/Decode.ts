import { Schema } from "effect"
import { Refusal } from "../Refusal.ts"

/** Reads bodies of requests as a schema has them; anything else is a `Refusal` of 400 that names the field. */
export const bodyDecoder = <A>(schema: Schema.Codec<A, unknown>): ((body: unknown) => A) => {
  const { validate } = Schema.toStandardSchemaV1(schema, {
    parseOptions: { onExcessProperty: "error", errors: "first" },
  })["~standard"]
  return (body) => {
    const result = validate(body)
    if (result instanceof Promise) throw new Error("a schema of requests answers at once")
    if (result.issues === undefined) return result.value
    const [issue] = result.issues
    const param = (issue?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
    const what = (issue?.message ?? "it is wrong").replace(/^./, (first) => first.toLowerCase())
    throw new Refusal(400, param === "" ? `the body: ${what}` : `\`${param.slice(0, 100)}\`: ${what}`, {
      code: what === "missing key" ? "missing_required_parameter" : "invalid_value",
      ...(param === "" ? {} : { param: param.slice(0, 100) }),
    })
  }
}
