import type { Needed, PromptFile } from "./PromptFile.ts"

/** The prompts of a pipeline by their files' names. */
export interface DatagenPrompts {
  /** Asks whether a chunk is fit for questions; sees `text`, `source`, `heading`. */
  readonly rag_filter: PromptFile
  /** Asks for a conversation; sees `text`, `source`, `chunks` (each with `text`, `source`, `heading`, `needed`), `multi`, `thoughts`. */
  readonly rag_convs: PromptFile
  /** Asks for one where retrieval failed; sees `abstain`, too. */
  readonly rag_failed_convs: PromptFile
  /** Asks for questions that a retriever is to find a chunk by; sees `text`, `source`, `heading`, `count`, and `answers`: whether for answers, too. */
  readonly rag_questions: PromptFile
  /** Asks whether answers are grounded; sees `chunks` and `turns`, each with `role` and `text`. */
  readonly rag_judge: PromptFile
  /** Says what was wrong with a reply; sees `problem`. */
  readonly rag_correction: PromptFile
}

const nothing = {
  ...{ text: "", source: "", heading: "", chunks: [], multi: [], turns: [] },
  ...{ thoughts: false, abstain: false, answers: false, problem: "", count: 1 },
}
const text: Needed = { name: "{{ text }}", variables: (mark) => ({ ...nothing, text: mark }) }
const chunksWith = (mark: string) => [{ text: mark, source: "", heading: "", needed: true }]

/** What each prompt has to show. */
export const neededBy: Readonly<Record<keyof DatagenPrompts, readonly Needed[]>> = {
  rag_filter: [text],
  rag_convs: [
    {
      name: "{{ chunk.text }} of its chunks",
      variables: (mark) => ({ ...nothing, text: mark, chunks: chunksWith(mark) }),
    },
  ],
  rag_failed_convs: [text],
  rag_questions: [text],
  rag_judge: [
    {
      name: "{{ chunk.text }} of its chunks",
      variables: (mark) => ({ ...nothing, chunks: chunksWith(mark) }),
    },
    {
      name: "{{ turn.text }} of its turns",
      variables: (mark) => ({ ...nothing, turns: [{ role: "assistant", text: mark }] }),
    },
  ],
  rag_correction: [{ name: "{{ problem }}", variables: (mark) => ({ ...nothing, problem: mark }) }],
}
