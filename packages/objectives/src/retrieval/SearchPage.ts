/** What a run's page draws of what is found in the course of training, and of the index that training searches. */
export const searchCharts = {
  evaluations: [
    { title: "Retrieval", metrics: ["recall@1", "inUse.recall@1", "answerRecall@1", "mrr@10", "distinct"] },
  ],
  steps: [
    { title: "Steps since the index in use was begun", columns: ["indexAge"] },
    { title: "Mean cosine of vectors in use and of the moment", columns: ["drift"] },
  ],
} as const

/** The same evaluations where a teacher says how likely answers are. */
export const taughtCharts = [
  ...searchCharts.evaluations,
  { title: "Nats a token of the expected answers with the best passage", metrics: ["retrieved.nll"] },
] as const
