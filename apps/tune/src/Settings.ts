import type { DatagenSettings } from "@tandem/datagen"
import type { NodeProvider } from "@tandem/runtime"

/** What `tune` is told; all but `folder`, `model` and `out` have defaults. */
export interface TuneSettings {
  /** The folder of documents. */
  readonly folder: string
  /** The encoder to start from: a folder, a hub id, `tiny` or `tiny:SEED`. */
  readonly model: string
  /** The run folder. */
  readonly out: string
  /** How long it may take, by the estimate that is made at first; 20. With a reader the retriever takes half of it at most. */
  readonly minutes?: number
  /** Times that all questions are seen, where the minutes allow it; 2, of a tiny model 10. */
  readonly epochs?: number
  /** Most tokens of a passage; 200, or what the encoder reads. */
  readonly chunkSize?: number
  /**
   * A data pipeline whose models say which passages are fit for questions and write them; its documents and folders are
   * not used. Headings and sentences are questions where it is absent.
   */
  readonly questions?: DatagenSettings
  /** Most questions of a passage; 2. */
  readonly perPassage?: number
  /**
   * A language model that learns to answer the questions from the passages that the tuned retriever finds: a folder, a hub id,
   * a run that trained one, `tiny` or `tiny:SEED`. Its answers are those that the model of `questions` writes.
   */
  readonly reader?: string
  /** Share of the documents that are held out to measure by; 0.15. */
  readonly heldOut?: number
  readonly batchSize?: number
  readonly seed?: number
  readonly device?: NodeProvider | "auto"
  readonly threads?: number
  /** Goes on with a run that was interrupted. */
  readonly resume?: boolean
}
