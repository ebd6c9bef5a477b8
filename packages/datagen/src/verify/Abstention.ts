import { answersOf, excerpt, type Finding, type Verifier } from "./Finding.ts"
import { tellTales } from "./TellTales.ts"
import { withWordEdges } from "./WordEdges.ts"

/** How it is said that an answer is not known, over languages. */
const phrases: readonly RegExp[] = [
  /\b(?:do(?:es)?|did)(?:n['’]?t| not) (?:know|have|contain|mention|say|cover|include|provide|address|tell|find|answer|specify|state|see|discuss|appear)\b/iu,
  /\b(?:can(?:not|['’]t| not)|could(?:n['’]?t| not)|(?:am|are|is|was) (?:not able|unable) to|unable to) (?:answer|find|say|tell|determine|give|help|provide|locate|confirm|see)\b/iu,
  /\b(?:no|any|not enough|insufficient|without) (?:\p{L}+ )?(?:information|mention|answer|details?|evidence|indication|data)\b/iu,
  /\b(?:none|nothing|neither) (?:of|in|about|is)\b/iu,
  /\b(?:is|are|was|were)(?:n['’]?t| not) (?:\p{L}+ )?(?:mentioned|covered|stated|included|specified|given|provided|available|answered|addressed|discussed|found|contained|in)\b/iu,
  /\bnot (?:sure|certain) (?:what|how|which|when|where|who|about)\b/iu,
  /\b(?:weiß|kenne|finde) (?:ich )?(?:\p{L}+ ){0,3}nicht\b|\bkann ich (?:\p{L}+ ){0,4}nicht\b|\b(?:keine?|nicht genug) (?:\p{L}+ )?(?:Angaben?|Informationen?|Auskunft|Antwort|Hinweise?|Aussagen?)\b/iu,
  /\b(?:nicht|nichts) (?:\p{L}+ ){0,3}(?:hervor|erwähnt|enthalten|beantworten|genannt|beschrieben|angegeben|entnehmen|sagen)\b|\bsteht (?:\p{L}+ ){0,4}nicht(?:s)?\b/iu,
  /\bn(?:e|['’])\s?(?:\p{L}+\s){0,2}(?:sais|peux|peut|trouve|parle|parlent|mentionne|mentionnent|contient|contiennent|précise|dit|disent|répond|permet|permettent|figure|en parlent)\b|\baucune? (?:information|mention|réponse|indication)\b/iu,
  /\bno (?:lo )?(?:sé|se sabe|puedo|menciona|mencionan|contiene|contienen|dice|dicen|encuentro|aparece|figura|consta|hay|tengo|especifica)\b|\bninguna? (?:información|mención|respuesta)\b/iu,
  /\bnon (?:lo )?(?:so|posso|trovo|contien|contengono|menzion|è indicat|c['’]è|risulta)\p{L}*|\bnessuna informazione\b/iu,
  /\bnão (?:sei|posso|consigo|menciona|mencionam|contém|há|encontr|consta|diz|dizem)\p{L}*|\bnenhuma informação\b/iu,
  /\b(?:weet (?:ik )?(?:het )?niet|kan (?:ik )?(?:\p{L}+ ){0,3}niet|geen (?:informatie|antwoord|vermelding)|niet vermeld)\b/iu,
  /не (?:знаю|могу|указан|упомина|содерж|сказано|нашл|говорится|известно)\p{L}*|нет (?:информации|сведений|ответа|данных)|ничего не (?:сказано|говорится|указано)/iu,
  /(?:nie (?:wiem|mogę|zawiera|wspomina|ma informacji|znalaz)|brak (?:informacji|odpowiedzi))\p{L}*/iu,
  /不知道|不清楚|不确定|無法|无法|没有(?:提到|提及|说明|相关|找到|信息|记载)|沒有(?:提到|提及|說明|相關|找到)|未(?:提及|提到|说明|記載|记载)/u,
  /分かりません|わかりません|お答えできません|答えられません|記載(?:が|は)(?:ありません|なく|ない)|見つかりません|見当たりません|書かれていません|不明です/u,
  /알 수 없|모르겠|찾을 수 없|답(?:변)?할 수 없|정보가 없|나와 있지 않|언급(?:되어|이) (?:있지 않|없)/u,
  /لا (?:أعرف|أعلم|أستطيع|يمكنني|تذكر|يذكر|توجد)|不明/u,
].map(withWordEdges)

/** Whether a text says that the answer is not known. */
export const abstains = (text: string): boolean => phrases.some((phrase) => phrase.test(text))

/** First answers that do not abstain, and answers that say nonetheless what the true chunk does. */
export const notAbstaining: Verifier = (conversation) => {
  const [first] = answersOf(conversation)
  if (first === undefined) return []
  if (!abstains(first.text))
    return [
      {
        check: "not-abstaining",
        turn: first.turn,
        detail: `“${excerpt(first.text)}” does not say that it is not known`,
      },
    ]
  return tellTales(conversation)
    .slice(0, 1)
    .map((words): Finding => ({ check: "not-abstaining", detail: `“${excerpt(words)}” is what the true chunk says` }))
}
