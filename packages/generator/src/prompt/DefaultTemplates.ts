import type { ChatTurns, TextTemplate } from "./RagTemplate.ts"

const introduction = "Given the user query below, provide a response making use of the provided background context."

const turn = "<query>\n{query}\n</query>\n\n<context>\n{context}\n</context>"

/** The template of those who name none, after FedRAG's, with the question first. */
export const defaultTemplate: TextTemplate = {
  kind: "text",
  text: `You are a helpful assistant. ${introduction}\n\n${turn}\n\n<response>\n{response}\n</response>\n`,
}

/** The same for models that have a chat template, as the user's turn alone. */
export const defaultChat: ChatTurns = { kind: "chat", user: `${introduction}\n\n${turn}` }
