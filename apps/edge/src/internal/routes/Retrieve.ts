import type { Schema } from "effect"
import { Refusal } from "../../Refusal.ts"
import { checkFound, checkTexts, passagesOf } from "../Checks.ts"
import type { Call, Desk } from "../Desk.ts"
import type { RetrieveBody } from "../RequestBodies.ts"

/** `/retrieve`: the best passages of a question, or of several, best first. */
export const retrieve = async (
  desk: Desk,
  { body, signal }: Call<Schema.Schema.Type<typeof RetrieveBody>>,
): Promise<Response> => {
  const { query, queries, k } = body
  if ((query ?? queries) === undefined || (query ?? queries) === null || (query && queries)) {
    throw new Refusal(400, "either `query` or `queries` is needed", {
      code: "missing_required_parameter",
      param: "query",
    })
  }
  const texts = queries ?? [query ?? ""]
  checkTexts(desk, texts, queries ? "queries" : "query")
  const asked = passagesOf(desk, k)
  checkFound(desk, texts.length, asked.k)
  const options = { ...asked, signal }
  const found = await Promise.all(texts.map((text) => desk.served.retrieve(text, options)))
  return Response.json({ results: queries ? found : (found[0] ?? []) })
}
