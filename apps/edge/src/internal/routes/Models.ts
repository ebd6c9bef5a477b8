import type { EmbedAs } from "@tandem/rag"
import { Refusal } from "../../Refusal.ts"
import type { Desk } from "../Desk.ts"

/** A model as clients see it. */
interface ModelCard {
  readonly id: string
  readonly object: "model"
  readonly created: number
  readonly owned_by: string
}

/** The models' names: one answers, and two embed, of which each has a kind of texts. */
export const modelNames = ({ name, served: { facts } }: Desk) => ({
  ...(facts.generator === undefined ? {} : { chat: name }),
  ...(facts.encoder === undefined ? {} : { query: `${name}-query`, passage: `${name}-passage` }),
})

const cards = (desk: Desk): readonly ModelCard[] =>
  Object.values(modelNames(desk)).map((id) => ({ id, object: "model", created: 0, owned_by: "tandem" }))

const unknownModel = (desk: Desk): Refusal =>
  new Refusal(404, `there is no such model here: one of ${Object.values(modelNames(desk)).join(", ")}`, {
    code: "model_not_found",
    param: "model",
  })

/** `/v1/models` */
export const listModels = (desk: Desk): Response => Response.json({ object: "list", data: cards(desk) })

/** `/v1/models/ID` */
export const oneModel = (desk: Desk, id: string): Response => {
  const card = cards(desk).find((each) => each.id === id)
  if (card === undefined) throw unknownModel(desk)
  return Response.json(card)
}

/** Refuses the name of a model that does not answer. */
export const checkChatModel = (desk: Desk, model: string): void => {
  if (model !== modelNames(desk).chat) throw unknownModel(desk)
}

/** How a model of this name reads texts: as its name says, else as `input_type` does, else as questions. */
export const embedAs = (desk: Desk, model: string, inputType: EmbedAs | null | undefined): EmbedAs => {
  const { query, passage } = modelNames(desk)
  const own = model === query ? "query" : model === passage ? "passage" : undefined
  if (own === undefined && model !== desk.name) throw unknownModel(desk)
  if (own !== undefined && inputType && inputType !== own) {
    throw new Refusal(400, `\`input_type\` is ${inputType}, and the model reads texts as ${own}`, {
      code: "invalid_value",
      param: "input_type",
    })
  }
  return own ?? inputType ?? "query"
}
