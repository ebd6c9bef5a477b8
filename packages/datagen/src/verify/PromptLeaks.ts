import { answersOf, excerpt, type Finding, shownTexts, type Verifier } from "./Finding.ts"
import { withWordEdges } from "./WordEdges.ts"

/** Traces of a prompt, a template or the pipeline in what a model says. */
const traces: readonly RegExp[] = [
  /ground[\s_-]?truths?/giu,
  /^\W*ground[\s_-]?truths?\W*[:：]/gimu,
  /\{\{[^{}]*\}\}|\{%[^{}]*%\}/gu,
  /\{(?:data|question|questions|answer|context|chunks?|query|text|source|sources|system|user|assistant|response)\}/giu,
  /<\|[\p{L}\d_ ]{1,40}\|>|\[\/?INST\]|<<\/?SYS>>|<\/?s>|<(?:start|end)_of_turn>|\[\/?(?:SYS|DATA|CONTEXT)\]/giu,
  /<\/?(?:think(?:ing)?|user|assistant|system|context|query|response|passages?|chunks?|documents?|answer|question)\b[^<>\n]{0,40}>/giu,
  /^\s*#{1,6}\s*(?:instructions?|response|input|output|context|task|question|answer)\b:?/gimu,
  /^\s*\**(?:user|human|assistant|ai|bot|system|question|answer|benutzer|assistent|frage|antwort|utilisateur|usuario|asistente)\**\s*[:：]/gimu,
  /\b(?:chunk|passage|snippet|excerpt|context|document)s?\s*(?:no\.?|number|#)?\s*\d+\b/giu,
  /\b(?:true|golden?|relevant|correct|unrelated|other)\s+(?:chunk|passage|snippet)s?\b/giu,
  /\bdistractors?\b|\bhidden (?:passage|chunk|text)\b/giu,
  /\b(?:passage|chunk|excerpt|snippet)s? (?:above|below|provided|shown|given|retrieved)\b/giu,
  /\b(?:system|user)\s+prompts?\b|\bprompt\s+template\b|\b(?:my|the)\s+instructions\s+(?:say|are|tell|ask)\b/giu,
  /\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b/giu,
  /^\s*\{\s*"(?:question|answer|turns|role|conversation)"\s*:/gu,
].map(withWordEdges)

/**
 * Words of prompts in turns: `Ground Truth`, markers of templates, roles before a text, labels of chunks, thoughts that were
 * not kept apart. What stands in a shown chunk, or what the user said before, is none.
 */
export const leakedPrompts: Verifier = (conversation) => {
  const user = conversation.turns.flatMap(({ role, text }, turn) => (role === "user" ? [{ text, turn }] : []))
  return [...user, ...answersOf(conversation)]
    .sort((a, b) => a.turn - b.turn)
    .flatMap(({ text, turn }): readonly Finding[] => {
      const found = traces.flatMap((trace) => text.match(trace) ?? [])
      if (found.length === 0) return []
      const allowed = shownTexts(conversation, turn).map(plain)
      const leaked = found.filter((words) => !allowed.some((shown) => shown.includes(plain(words))))
      return leaked.slice(0, 1).map((words) => ({
        check: "leaked-prompt",
        turn,
        detail: `“${excerpt(words)}” is of a prompt or a template`,
      }))
    })
}

const plain = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s_-]+/g, " ")
    .trim()
