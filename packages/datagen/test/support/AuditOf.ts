import {
  type Audit,
  auditPage,
  type Conversation,
  collectAudit,
  conversationVerifier,
  type RejectedLine,
  rowMaker,
} from "../../src/index.ts"

async function* each<A>(values: readonly A[]): AsyncGenerator<A> {
  yield* values
}

/** An audit of conversations and rejected items. */
export const auditOf = (
  conversations: readonly Conversation[],
  rejected: readonly RejectedLine[],
  most = 200,
  seed = 0,
): Promise<Audit> =>
  collectAudit(
    {
      conversations: each(conversations),
      rejected: each(rejected),
      maker: rowMaker({
        final_assistant_prompts: ["Use:\n{data}"],
        system_format: "{{ system }}\n",
        user_format: "User: {{ user }}\n",
        assistant_format: "AI: {{ assistant }}</s>\n",
        bos: "<s>",
        num_items_per_group: 2,
        train_on_questions: false,
        train_on_thoughts: false,
        seed: 1,
      }),
      verify: conversationVerifier(),
    },
    { most, seed },
  )

const tokens = { name: "large", input_tokens: 1200, input_cost: 0.5, output_tokens: 300, output_cost: 1.25 }

/** The page of an audit. */
export const pageOf = (audit: Audit, most = 200): string =>
  auditPage(audit, { folder: "out", most, seed: 0, tokens: [tokens] })
