import { Random } from "@tandem/random"
import type { RejectedLine } from "../ConversationFile.ts"
import { groupsOf, type RowMaker, type TrainingRow } from "../format/TrainingRows.ts"
import type { Conversation, Item, RejectingStage } from "../Item.ts"
import type { Finding, Verifier } from "../verify/Finding.ts"

/** A row with the item that it was made of. */
export interface AuditedRow {
  readonly item: Item
  readonly row: TrainingRow
  /** What is wrong with it. */
  readonly findings: readonly Finding[]
}

/** What one model read and wrote, as `small_model_tokens.json` and `large_model_tokens.json` have it. */
export interface ModelTokens {
  readonly name: string
  readonly input_tokens: number
  readonly input_cost: number
  readonly output_tokens: number
  readonly output_cost: number
}

/** What an audit looks at. */
export interface AuditSources {
  readonly conversations: AsyncIterable<Conversation>
  readonly rejected: AsyncIterable<RejectedLine>
  readonly maker: RowMaker
  readonly verify: Verifier
}

/** What data came to: everything is counted and checked, some of it is shown. */
export interface Audit {
  readonly counts: {
    readonly success: number
    readonly failed: number
    readonly rejected: number
    readonly rows: number
    /** Items in which nothing is trained, so that no row was written. */
    readonly untrained: number
    readonly characters: number
    readonly trainedCharacters: number
  }
  /** Items that each stage rejected, by the reason's first words. */
  readonly reasons: readonly { readonly stage: RejectingStage; readonly reason: string; readonly count: number }[]
  /** Checks that rows fail which were kept, and how many rows do. */
  readonly faults: readonly { readonly check: string; readonly count: number }[]
  /** Drawn by the seed, in the order of the data. */
  readonly rows: readonly AuditedRow[]
  readonly rejected: readonly RejectedLine[]
}

/** The first words of a reason, up to its colon: what items are counted by. */
export const reasonKind = (reason: string): string =>
  (/^[^:\n]{1,60}(?=:|$)/.exec(reason)?.[0] ?? reason.slice(0, 60)).trim()

/** Counts and checks all conversations and rejected items; `most` of each are drawn by the seed and kept to be shown. */
export const collectAudit = async (
  { conversations, rejected, maker, verify }: AuditSources,
  { most, seed }: { readonly most: number; readonly seed: number },
): Promise<Audit> => {
  const rows = sample<AuditedRow>(most, Random.fromSeed(seed).derive("audit rows"))
  const left = sample<RejectedLine>(most, Random.fromSeed(seed).derive("audit rejected"))
  const counts = { success: 0, failed: 0, rejected: 0, rows: 0, untrained: 0, characters: 0, trainedCharacters: 0 }
  const reasons = new Map<string, { stage: RejectingStage; reason: string; count: number }>()
  const faults = new Map<string, number>()
  const keys = new Set<string>()
  for await (const group of groupsOf(conversations, maker.size)) {
    const made = new Map(maker.rows(group).map((row) => [row.key, row]))
    for (const conversation of group) {
      const { item } = conversation
      counts[item.failed ? "failed" : "success"] += 1
      const twice: readonly Finding[] = keys.has(item.key)
        ? [{ check: "turns", detail: "its item is there twice" }]
        : []
      keys.add(item.key)
      const findings = [...twice, ...verify(conversation)]
      for (const check of new Set(findings.map((finding) => finding.check)))
        faults.set(check, (faults.get(check) ?? 0) + 1)
      const row = made.get(item.key)
      if (row === undefined) {
        counts.untrained += 1
        continue
      }
      counts.rows += 1
      for (const { label, text } of row.segments) {
        counts.characters += text.length
        if (label) counts.trainedCharacters += text.length
      }
      rows.offer({ item, row, findings })
    }
  }
  for await (const one of rejected) {
    counts.rejected += 1
    const reason = reasonKind(one.reason)
    const known = reasons.get(`${one.stage}:${reason}`) ?? { stage: one.stage, reason, count: 0 }
    known.count += 1
    reasons.set(`${one.stage}:${reason}`, known)
    left.offer(one)
  }
  return {
    counts,
    reasons: [...reasons.values()].sort((a, b) => b.count - a.count),
    faults: [...faults].map(([check, count]) => ({ check, count })).sort((a, b) => b.count - a.count),
    rows: rows.drawn(),
    rejected: left.drawn(),
  }
}

/** Whether an audit found nothing that contradicts what the data promise. */
export const isSound = ({ counts, faults }: Pick<Audit, "counts" | "faults">): boolean =>
  faults.length === 0 && counts.untrained === 0 && counts.rows > 0

/** Keeps so many of what comes, each as likely as the others (Vitter's algorithm R), in their order. */
const sample = <A>(most: number, random: Random) => {
  const kept: { readonly at: number; readonly value: A }[] = []
  let seen = 0
  return {
    offer: (value: A): void => {
      const place = seen < most ? seen : random.integer(seen + 1)
      if (place < most) kept[place] = { at: seen, value }
      seen += 1
    },
    drawn: (): readonly A[] => kept.toSorted((a, b) => a.at - b.at).map((one) => one.value),
  }
}
