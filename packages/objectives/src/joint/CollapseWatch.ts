/** Numbers of a step, by name. */
export type StepNumbers = Readonly<Record<string, number>>

/** Steps that are looked at together. */
const window = 50

/**
 * Watches a joint run for what makes retrieval collapse, and says in words what to do; each thing once. What there is to
 * see: all questions find the same passages; the prior is sure of one passage and answers say another; answers are as likely
 * under every passage, so that nothing is learned about them; embeddings grow without bound.
 *
 * Numbers are means over 50 steps; the first such mean is what later ones are compared with.
 */
export const collapseWatch = ({ k }: { readonly k: number }): ((numbers: StepNumbers) => readonly string[]) => {
  const recent: StepNumbers[] = []
  const said = new Set<string>()
  let first: StepNumbers | undefined
  return (numbers) => {
    recent.push(numbers)
    if (recent.length < window) return []
    const mean = means(recent)
    recent.length = 0
    first ??= mean
    const all = symptoms(mean, first, k).filter((message) => !said.has(message))
    for (const message of all) said.add(message)
    return all
  }
}

const means = (rows: readonly StepNumbers[]): StepNumbers =>
  Object.fromEntries(
    Object.keys(rows[0] ?? {}).map((name) => [
      name,
      rows.reduce((sum, row) => sum + (row[name] ?? Number.NaN), 0) / rows.length,
    ]),
  )

const symptoms = (now: StepNumbers, first: StepNumbers, k: number): readonly string[] => {
  const of = (numbers: StepNumbers, name: string): number => numbers[name] ?? Number.NaN
  const sure = of(now, "priorEntropy") < 0.05 * Math.log(k)
  const rules: readonly (readonly [boolean, string])[] = [
    [
      of(now, "distinct") < 0.25 * of(first, "distinct"),
      "retrieval collapses: ever more questions find the same passages. Lower the rate of the part query, raise `temperature`, or train the retriever first (tandem dpr train)",
    ],
    [
      k > 1 && sure && of(now, "learned") > 1,
      "the retriever is sure of one passage, and answers say another: raise `temperature`, so that other passages keep a chance",
    ],
    [
      k > 1 && of(now, "learned") < 1e-3 && of(now, "priorEntropy") > 0.5 * Math.log(k),
      "answers are as likely under every passage, so that nothing is learned about passages: the generator does not read them (fine-tune it first: tandem ralt train), or none of them helps (train the retriever first: tandem dpr train)",
    ],
    [
      of(now, "queryNorm") > 10 * of(first, "queryNorm"),
      "embeddings of questions grow without bound: lower the rate of the part query, or compare by cosine (`similarity`)",
    ],
  ]
  return rules.flatMap(([seen, message]) => (seen ? [message] : []))
}

/**
 * What to say of a retriever before joint training that finds answers hardly more often than chance would: joint training
 * learns from passages that help, and it has to meet some. Undefined where there is nothing to say.
 */
export const nearChance = (
  metrics: Readonly<Record<string, number>>,
  { passages }: { readonly passages: number },
): string | undefined => {
  const recall = metrics["answerRecall@5"]
  if (recall === undefined || recall > 2 * Math.min(1, 5 / passages) || passages <= 10) return undefined
  return `the retriever finds an answer among 5 of ${passages} passages for ${(100 * recall).toFixed(1)} % of the questions, hardly more than chance: train the retriever first (tandem dpr train), or expect that nothing is learned for long`
}
