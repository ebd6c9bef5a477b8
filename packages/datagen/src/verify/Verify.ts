import { notAbstaining } from "./Abstention.ts"
import { uncited, unknownSources } from "./Citations.ts"
import { leakedContexts } from "./ContextLeaks.ts"
import type { Finding, Verifier } from "./Finding.ts"
import { leakedPrompts } from "./PromptLeaks.ts"
import { inventedQuotes } from "./Quotes.ts"
import { truncated } from "./Truncation.ts"
import { brokenTurns, type TurnOptions } from "./Turns.ts"

/** What conversations are checked for. */
export interface VerifyOptions extends TurnOptions {
  /** Whether quotations have to stand in what was shown; true where absent. */
  readonly quotes?: boolean
  /** Whether sources have to be named, and to be those that were shown; true where absent. */
  readonly citations?: boolean
  /** What answers do where retrieval failed; `from_memory` where absent. */
  readonly failureBehavior?: "from_memory" | "abstain"
}

/**
 * A function that finds what is faulty in conversations, by rules alone: turns, truncation and leaked prompts of every one;
 * quotations and sources where the true chunk was shown; leaks and, by option, abstention where it was not. A conversation
 * without findings passes.
 *
 * @example
 * ```ts
 * import { conversationVerifier, reasonOf } from "@tandem/datagen"
 *
 * const chunk = { id: "c", source: "pump.md", document: "d", index: 0, text: "Prime it first.", start: 0, end: 15 }
 * const verify = conversationVerifier()
 * const findings = verify({
 *   item: { key: "c", chunk, shown: [chunk], failed: false },
 *   turns: [
 *     { role: "user", text: "What first?" },
 *     { role: "assistant", text: "The manual says “Run it dry first” [pump.md]." },
 *   ],
 * })
 * console.log(findings.map(reasonOf)) // [ 'invented-quote: turn 2: “Run it dry first” stands in no shown chunk' ]
 * ```
 */
export const conversationVerifier = (options: VerifyOptions = {}): Verifier => {
  const { quotes = true, citations = true, failureBehavior = "from_memory" } = options
  const always = [brokenTurns(options), truncated, leakedPrompts, leakedContexts()]
  const success = [...(quotes ? [inventedQuotes] : []), ...(citations ? [unknownSources, uncited] : [])]
  const failure = failureBehavior === "abstain" ? [notAbstaining] : []
  return (conversation): readonly Finding[] =>
    [...always, ...(conversation.item.failed ? failure : success)].flatMap((check) => check(conversation))
}
