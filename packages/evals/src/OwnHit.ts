/**
 * The ranking without a hit under the question's own id, as BEIR evaluates: where questions are documents of the corpus
 * themselves (ArguAna, Quora), each finds itself first. A passage that is judged relevant stays, whatever its id.
 *
 * @example
 * ```ts
 * import { withoutOwnHit } from "@tandem/evals"
 *
 * console.log(withoutOwnHit([{ id: "p3" }, { id: "p7" }], "p3", new Set(["p7"]))) // [ { id: "p7" } ]
 * ```
 */
export const withoutOwnHit = <Hit extends { readonly id: string }>(
  ranked: readonly Hit[],
  question: string,
  gold: ReadonlySet<string>,
): readonly Hit[] => (gold.has(question) ? ranked : ranked.filter(({ id }) => id !== question))
