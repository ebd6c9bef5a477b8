/**
 * How a command ends, as docs/formats.md says: 0 done; 1 failed check or a fault of the program; 2 wrong usage or
 * settings; 3 bad input data or model; 4 environment; 5 training diverged; 130 interrupted, resumable.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 130

/** The exit code of every tagged error that a command can end in. */
export const exitCodes: Readonly<Record<string, ExitCode>> = {
  // The command line.
  UnknownFlag: 2,
  UnknownCommand: 2,
  MissingFlag: 2,
  InvalidFlag: 2,
  FlagWithoutEffect: 2,
  InvalidConfig: 2,
  NoRun: 3,
  DoctorFailed: 4,
  CheckFailed: 1,
  // runs
  Settings: 2,
  RunLocked: 4,
  RunFolder: 4,
  InvalidRun: 3,
  // onnx
  InvalidTensor: 3,
  InvalidModel: 3,
  InvalidGraph: 3,
  UnsupportedModel: 3,
  UnknownOperatorSet: 3,
  UnsupportedAttribute: 3,
  DataDependentBranch: 3,
  DataDependentShape: 3,
  // autodiff
  MissingGradient: 3,
  Disconnected: 3,
  NotDifferentiable: 3,
  VjpMismatch: 1,
  InvalidLora: 2,
  // runtime
  ProviderUnavailable: 4,
  CompileFailed: 3,
  RunFailed: 4,
  // datasets
  UnreadableFile: 3,
  UnwritableFile: 4,
  EmptyFile: 3,
  InvalidGzip: 3,
  InvalidUtf8: 3,
  TruncatedJson: 3,
  InvalidJson: 3,
  UnknownFormat: 3,
  InvalidParquet: 3,
  InvalidRow: 3,
  NoExamples: 3,
  UnknownPassage: 3,
  DuplicatePassage: 3,
  // documents
  DocumentProblem: 3,
  NoDocuments: 3,
  InvalidChunking: 2,
  // models
  InvalidSafetensors: 3,
  InvalidEncoder: 3,
  UnsupportedEncoder: 3,
  InvalidLanguageModel: 3,
  UnsupportedArchitecture: 3,
  InvalidTokenizer: 3,
  SequenceTooLong: 3,
  SaveFailed: 4,
  HubError: 4,
  NotOnHub: 3,
  InvalidReference: 3,
  InvalidAdapter: 3,
  // store
  StoreMismatch: 3,
  InvalidVector: 3,
  DuplicateId: 3,
  PassageNotFound: 3,
  InvalidRequest: 2,
  CorruptStore: 3,
  StoreAccess: 4,
  IndexFailure: 4,
  EngineUnavailable: 4,
  // retriever
  TowerMismatch: 3,
  // generator
  InvalidTemplate: 3,
  InvalidPrompt: 3,
  InvalidGeneration: 2,
  RemoteFailed: 4,
  // losses and collators
  InvalidBatch: 2,
  // objectives
  InvalidScores: 3,
  // datagen
  InvalidDatagenSettings: 2,
  InvalidPromptFile: 3,
  TooFewChunks: 3,
  BudgetReached: 130,
  EndpointDown: 4,
  ResultStoreFailed: 4,
  OutputFolderFailed: 4,
  // rag
  InvalidAsk: 2,
  KnowledgeSource: 4,
  // trainers
  InvalidSettings: 2,
  CheckpointFailed: 4,
  HookFailed: 1,
  FreezePattern: 2,
  TrainingDiverged: 5,
  TrainingInterrupted: 130,
  // evals
  InvalidEvaluation: 3,
  InvalidPattern: 3,
  InvalidTrecFile: 3,
}
