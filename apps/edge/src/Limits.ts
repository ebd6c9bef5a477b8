/** What one request, and all of them together, may take. */
export interface Limits {
  /** Bytes of a request's body, however it is sent. */
  readonly bodyBytes: number
  /** Seconds within which a body has to be there. */
  readonly bodySeconds: number
  /** Seconds within which an answer has to be complete. */
  readonly seconds: number
  /** Requests that are read, wait or run; more are refused. */
  readonly requests: number
  /** Requests that run at once; others wait. */
  readonly running: number
  /** Texts of one request. */
  readonly items: number
  /** Characters of one text. */
  readonly characters: number
  /** Tokens of all texts of one request. */
  readonly tokens: number
  /** Passages that a request may ask for, for one question. */
  readonly passages: number
  /** Passages that a request may ask for, for all its questions together. */
  readonly found: number
  /** Those that an answer may be read from, each of which takes memory for its prompt; what the run reads is always allowed. */
  readonly read: number
}

/** The limits where nothing else is said. Clients of OpenAI's interface part their texts by that interface's 2048 and 300,000. */
export const defaultLimits: Limits = {
  bodyBytes: 2 ** 20,
  bodySeconds: 10,
  seconds: 120,
  requests: 256,
  running: 32,
  items: 2048,
  characters: 32_768,
  tokens: 300_000,
  passages: 100,
  found: 4096,
  read: 20,
}
