/** An invented document with one conversation about its first chunk, written by hand. */
export interface Document {
  readonly source: string
  readonly language: "en" | "de" | "fr" | "es" | "zh" | "ja" | "ru"
  /** The conversation is about the first. */
  readonly chunks: readonly [string, string]
  readonly question: string
  /** `<<…>>` stands around words of the first chunk, `@` where the source is named. */
  readonly answer: string
  readonly next: string
  readonly reply: string
  /** What a model that has not seen the chunk says. */
  readonly memory: string
  /** The words that give the answer away. */
  readonly tellTale: string
}

export const documents: readonly Document[] = [
  {
    source: "manuals/harrow-pump-hp40.pdf",
    language: "en",
    chunks: [
      "The HP40 circulation pump must be primed before its first start. Close the discharge valve, open the vent screw by half a turn and fill the casing until water leaves the vent without bubbles. Running the pump dry for more than 20 seconds destroys the mechanical seal and voids the warranty. The rated pressure is 3.5 bar at 1,450 revolutions a minute.",
      "Storage: keep the pump in its crate at 5 to 40 °C. Turn the shaft by hand once a month, so that the bearings do not flatten. A pump that was stored for more than two years needs new gaskets before it is installed.",
    ],
    question: "What happens if I run the HP40 without water?",
    answer:
      "You would ruin it quickly. The manual warns that “<<Running the pump dry for more than 20 seconds destroys the mechanical seal and voids the warranty>>” @. So prime it first, with the discharge valve closed.",
    next: "And how do I know that it is primed?",
    reply:
      "Open the vent screw half a turn and keep filling the casing until the water that comes out of the vent carries no bubbles any more.",
    memory:
      "Centrifugal pumps are cooled and lubricated by the liquid that they move. Without it the seal faces overheat within moments, start to leak and have to be replaced, so a pump should always be filled before it is switched on.",
    tellTale: "more than 20 seconds",
  },
  {
    source: "policies/travel-expenses-2024.docx",
    language: "en",
    chunks: [
      "Employees may claim rail travel in second class for journeys of less than four hours and in first class above that. Receipts have to reach the accounts office within 30 days of the return. A claim without receipts is paid up to 15 euros a day. Taxi rides need the approval of the head of department, unless no public transport runs between 23:00 and 5:00.",
      "Hotel rooms are booked by the travel desk. The ceiling is 110 euros a night in the country and 160 euros abroad, breakfast included. Whoever stays with friends may bring a present worth up to 25 euros instead.",
    ],
    question: "Until when can I hand in the receipts of my trip?",
    answer:
      "You have a month, roughly: “<<Receipts have to reach the accounts office within 30 days of the return>>” @. If you have lost them, the company still pays up to 15 euros a day.",
    next: "Can I take a taxi home from the station at midnight?",
    reply:
      "Yes, if no public transport runs at that hour. The exception covers 23:00 to 5:00; at other times the head of your department has to approve the ride.",
    memory:
      "Most companies set a deadline of a few weeks after the journey ends, since the books of a month have to be closed. Hand everything in as soon as you are back, and ask accounting what applies to you.",
    tellTale: "within 30 days",
  },
  {
    source: "field-notes/lake-orrin-otters.md",
    language: "en",
    chunks: [
      'The otters of Lake Orrin were counted by their tracks on eleven mornings in March 2019. Dr. Imelda Farrant\'s team found signs of nine adults, three of them with cubs. Unlike the river population, these animals feed mostly on crayfish: 71 percent of the remains in their spraints were crayfish shells. Farrant calls the lake "an accident of good luck", because the crayfish were released there by mistake.',
      "The weir at the northern outlet was rebuilt in 2007 with a ramp of rough stones. Eels have used it since, and in wet autumns trout do, too. The ramp is cleaned twice a year by volunteers from the village.",
    ],
    question: "What do the otters at Lake Orrin mainly eat?",
    answer:
      "Crayfish. According to the notes, “<<71 percent of the remains in their spraints were crayfish shells>>” @, which sets them apart from the otters of the river.",
    next: "Were the crayfish always there?",
    reply: "No, they were released by mistake, which is why Farrant speaks of “<<an accident of good luck>>”.",
    memory:
      "Otters are opportunists. In most European lakes they live on slow fish such as roach and perch, and they add frogs, crustaceans and now and then a water bird where these are easy to catch.",
    tellTale: "71 percent",
  },
  {
    source: "handbook/onboarding.html",
    language: "en",
    chunks: [
      "On your first day you receive a badge, a laptop and a paper slip with a temporary password. Change the password within eight hours, or the account is locked and only the service desk in Building C can open it again. Two-factor codes come from the Lantern app; codes by text message were switched off in January 2022 after a phishing attack.",
      "Lunch is served from 11:30 to 13:45 in the canteen on the ground floor. Guests pay with a card that reception lends them. The vegetarian counter closes at 13:15.",
    ],
    question: "How long is the temporary password valid?",
    answer:
      "Eight hours. “<<Change the password within eight hours, or the account is locked>>”, says the handbook @. After that you have to go to the service desk.",
    next: "Can I get my codes by text message instead of the app?",
    reply: "No longer. That was switched off in January 2022, following a phishing attack; you need the Lantern app.",
    memory:
      "A first password is usually meant for a single use and expires after a short time, often a day. Sign in soon, choose a password of your own, and call your help desk if it no longer works.",
    tellTale: "within eight hours",
  },
  {
    source: "papers/basalt-weathering.pdf",
    language: "en",
    chunks: [
      "We spread 40 tonnes of crushed basalt per hectare on four maize fields and measured the alkalinity of the drainage water for 26 months. Carbon removal, estimated from the export of bicarbonate, was 1.9 ± 0.4 tonnes of CO2 per hectare and year, about half of what laboratory columns had led us to expect. The shortfall was largest on the two clay soils, where water moved mainly through cracks and bypassed most of the rock powder.",
      "Yields rose by 6 percent in the first season and were indistinguishable from the controls in the second. Nickel in the grain stayed below the detection limit. We did not measure nitrous oxide.",
    ],
    question: "How much carbon did the basalt remove in the field trial?",
    answer:
      "The authors report “<<1.9 ± 0.4 tonnes of CO2 per hectare and year, about half of what laboratory columns had led us to expect>>” @.",
    next: "Why was it less than in the laboratory?",
    reply:
      "Mostly because of the clay soils: there the water “<<moved mainly through cracks and bypassed most of the rock powder>>”, so that much of the basalt never reacted.",
    memory:
      "Published estimates for rock powder on cropland vary widely, from a few hundred kilograms to several tonnes of carbon dioxide per hectare each year. Grain size, climate and soil matter most.",
    tellTale: "1.9 ± 0.4 tonnes",
  },
  {
    source: "recipes/grandmothers-rye-bread.txt",
    language: "en",
    chunks: [
      "Mix 300 g of rye flour with 300 ml of lukewarm water and the sourdough, and leave it at 26 degrees for fourteen hours. Next morning add 500 g of wheat flour, 12 g of salt and a spoon of caraway. Knead for ten minutes; the dough stays sticky, and that is right. Bake for 50 minutes at 230 degrees, the first ten with steam.",
      "Oat biscuits: melt 120 g of butter with two spoons of syrup, stir in 200 g of oats and a pinch of salt. Small heaps on paper, eleven minutes in a hot oven. They harden as they cool.",
    ],
    question: "How long does the sourdough have to stand?",
    answer:
      "Overnight and a little more. The recipe says to “<<leave it at 26 degrees for fourteen hours>>” @ before the wheat flour goes in.",
    next: "My dough is sticky. Did I do something wrong?",
    reply: "Not at all: “<<the dough stays sticky, and that is right>>”. Wet hands help when you shape it.",
    memory:
      "It depends on how warm the kitchen is. A rye sour is usually left overnight, until it has risen, smells pleasantly acidic and shows bubbles on its surface.",
    tellTale: "fourteen hours",
  },
  {
    source: "minutes/council-2018-11-06.md",
    language: "en",
    chunks: [
      'Item 4, the footbridge. Councillor Adeyemi presented two designs. The timber bridge would cost 412,000 pounds and last about 40 years; the steel one 655,000 pounds and 80 years. After a long debate the council chose timber by seven votes to five. Councillor Pryce asked for her dissent to be recorded: "We are building it twice and paying for it three times."',
      "Item 5, allotments. The waiting list has 63 names. The council agreed to divide plots that fall vacant into halves. The fee stays at 28 pounds for a half plot.",
    ],
    question: "Which design of the footbridge was chosen, and how close was the vote?",
    answer:
      "The timber one. “<<After a long debate the council chose timber by seven votes to five>>” @, although the steel bridge would have lasted twice as long.",
    next: "Who was against it?",
    reply:
      "Councillor Pryce had her dissent recorded. In her words, “<<We are building it twice and paying for it three times>>.”",
    memory:
      "Small councils often prefer timber for footbridges, since it is cheaper to build and suits a rural setting, even if steel needs less upkeep over the decades. I cannot tell how the members voted in this case.",
    tellTale: "seven votes to five",
  },
  {
    source: "docs/queue-server/configuration.md",
    language: "en",
    chunks: [
      "The server reads `queue.toml` from the folder given by `QUEUE_HOME`. `max_inflight` limits how many messages a consumer may hold without acknowledging them; the default is 256, and 0 means no limit. A message that is not acknowledged within `visibility_seconds` (default 30) goes back to the queue and its counter rises by one. After five deliveries it is moved to the dead-letter queue.",
      "Metrics are served on port 9464 in the text format. Set `metrics = false` to switch them off. Logs go to standard error as one JSON object a line.",
    ],
    question: "When does a message end up in the dead-letter queue?",
    answer:
      "After it was delivered five times without success. Each time it “<<is not acknowledged within `visibility_seconds` (default 30)>>” it goes back and its counter rises @:\n\n```toml\nvisibility_seconds = 30\n```",
    next: "How do I lift the limit on messages in flight?",
    reply:
      "Set `max_inflight` to 0 in `queue.toml`:\n\n1. Stop the server.\n2. Write `max_inflight = 0`.\n3. Start it again.",
    memory:
      "Queues usually count how often a message was handed out. When the count passes a threshold that the operator sets, the message is put aside so that it does not block the others.",
    tellTale: "five deliveries",
  },
  {
    source: "history/salt-roads.epub",
    language: "en",
    chunks: [
      "The salt road from Hallbrunn to the coast was first mentioned in a charter of 1124. Forty carts a week passed the toll at Grauwald in good years. In 1347 the abbot doubled the toll, whereupon the carters found another way over the Kessel pass, ‘steeper but cheaper’, as the chronicler Wenzel notes. The abbey never recovered the income that it lost.",
      "Amber travelled in the other direction. A pound of raw amber bought an ox in 1200 and two oxen a century later. Guilds in three towns held the right to carve it.",
    ],
    question: "Why did the carters avoid the toll at Grauwald?",
    answer:
      "Because it had become too dear. “<<In 1347 the abbot doubled the toll, whereupon the carters found another way over the Kessel pass>>” @. The chronicler calls the new way ‘<<steeper but cheaper>>’.",
    next: "Did the abbey gain from it?",
    reply: "On the contrary: it lost the income and never recovered it.",
    memory:
      "Merchants in the Middle Ages often moved to other roads when a lord raised his tolls too far. That happened all over the Alps, and several abbeys and towns lost their trade in this way.",
    tellTale: "Kessel pass",
  },
  {
    source: "machine-learning/evaluation-notes.md",
    language: "en",
    chunks: [
      "Our annotators disagreed on 8.3 percent of the images, so the ground truth itself is noisy. We therefore report accuracy against the majority of five labels. A model that scores above 91.7 percent on the raw labels is fitting the noise. The chunk size of the loader was 64 images, and training took nine hours on one card.",
      "Augmentation helped less than expected: flips gave 0.4 points, crops 0.2, and colour changes nothing. Label smoothing of 0.1 was kept for all runs.",
    ],
    question: "Why do the authors distrust scores above 91.7 percent?",
    answer:
      "Because the labels are noisy: “<<Our annotators disagreed on 8.3 percent of the images, so the ground truth itself is noisy>>” @. Anything better would only be fitting that noise.",
    next: "How do they deal with it?",
    reply: "They take the majority of five labels as ground truth and report accuracy against that.",
    memory:
      "Human labels are never perfect. If people themselves disagree on some share of the examples, a score beyond their agreement says more about the quirks of the labelling than about the task.",
    tellTale: "8.3 percent",
  },
  {
    source: "legal/lease-agreement-standard.docx",
    language: "en",
    chunks: [
      '§ 7 Repairs. The tenant bears the cost of small repairs of up to 90 euros each, and of 300 euros a year at most. The landlord has to be told of damage without delay. Where the tenant fails to do so and the damage grows, the tenant is liable for the difference. Painting is due every six years in living rooms and every three in kitchens, "unless the condition of the rooms clearly does not require it".',
      "§ 8 Keys. The tenant receives three keys and returns all of them at the end. The loss of a key to the main door is to be reported the same day; the landlord may exchange the lock at the tenant's expense.",
    ],
    question: "How much do I have to pay for small repairs?",
    answer:
      "Under § 7 you pay “<<small repairs of up to 90 euros each, and of 300 euros a year at most>>” @. Anything above that is the landlord's business.",
    next: "Must I paint the kitchen every three years in any case?",
    reply: "Not in any case. The rule applies “<<unless the condition of the rooms clearly does not require it>>”.",
    memory:
      "Leases often pass minor repairs on to the tenant, up to a fixed sum for each case and a yearly ceiling. Have a look at the clause on repairs in your contract, and ask a tenants' association in doubt.",
    tellTale: "up to 90 euros",
  },
  {
    source: "astronomy/comet-veld-1911.txt",
    language: "en",
    chunks: [
      'Comet Veld was discovered on 3 June 1911 by the schoolteacher Anneke Veld with a 4" refractor. It reached magnitude 2.8 in late August and showed two tails, the longer of which spanned 24 degrees. Its period is uncertain: Hartog computed 1,830 years, while later work on the same plates gave 2,260. No one alive will see it again.',
      "The meteor shower of the same summer had nothing to do with the comet. Its radiant lay in Perseus, and its rates, about 60 an hour, were ordinary.",
    ],
    question: "How bright did Comet Veld become?",
    answer:
      'It “<<reached magnitude 2.8 in late August and showed two tails>>” @, so it was easy to see with the naked eye. Veld herself had found it with a small telescope of 4" aperture.',
    next: "When will it return?",
    reply:
      "Nobody knows exactly. Hartog computed 1,830 years, later work gave 2,260; as the text puts it, “<<No one alive will see it again>>”.",
    memory:
      "A bright comet reaches the second or third magnitude around its closest approach to the Sun, and is then visible without any instrument for some weeks in a dark sky.",
    tellTale: "magnitude 2.8",
  },
  {
    source: "medicine/leaflet-norvatine.pdf",
    language: "en",
    chunks: [
      "Take one tablet of Norvatine 20 mg in the evening, with or without food. If you forget a tablet, leave it out and take the next one at the usual time; do not take a double dose. Grapefruit juice raises the level of the medicine in your blood and should be avoided. Tell your doctor about any muscle pain that you cannot explain.",
      "Keep the tablets in the original package, away from light, at no more than 25 °C. Do not use them after the date on the box. Medicines do not belong in waste water.",
    ],
    question: "I forgot my tablet last night. What now?",
    answer:
      "Just go on as usual tonight. The leaflet says: “<<If you forget a tablet, leave it out and take the next one at the usual time; do not take a double dose>>.” @",
    next: "May I drink grapefruit juice?",
    reply:
      "Better not. It raises the level of Norvatine in your blood, and the leaflet says that it “<<should be avoided>>”.",
    memory:
      "With most medicines that are taken once a day one simply goes on with the next dose. Taking two at once is rarely a good idea; a pharmacist can tell you what applies to yours.",
    tellTale: "leave it out",
  },
  {
    source: "garden/pruning-calendar.html",
    language: "en",
    chunks: [
      "Prune apple trees between January and mid-March, on dry days without frost. Remove about a fifth of last year's growth, never more than a third, since the tree answers a hard cut with a thicket of water shoots. Cherries are the exception: they are cut right after the harvest, in July or August, because winter wounds invite silver leaf disease.",
      "Hydrangeas that bloom on old wood lose their flowers if they are cut in spring. Take off the dry heads alone, just above the first pair of strong buds.",
    ],
    question: "Why are cherries not pruned in winter?",
    answer:
      "Because of disease. They are cut “<<right after the harvest, in July or August, because winter wounds invite silver leaf disease>>” @.",
    next: "How much may I take off an apple tree?",
    reply:
      "About a fifth of last year's growth:\n\n- a light cut keeps the tree calm\n- a third is the limit\n- more brings “<<a thicket of water shoots>>”",
    memory:
      "Stone fruit heals slowly in the cold and wet, so fungi and bacteria find their way into open cuts. Gardeners therefore wait until the weather is warm and the tree is growing.",
    tellTale: "silver leaf disease",
  },
  {
    source: "handbuch/heizung-wartung.pdf",
    language: "de",
    chunks: [
      "Der Brenner ist einmal im Jahr zu reinigen, am besten vor Beginn der Heizperiode. Vor jeder Arbeit wird die Anlage am Hauptschalter ausgeschaltet und gegen Wiedereinschalten gesichert. Die Düse darf nur gegen eine des gleichen Typs getauscht werden (0,65 gph, 80°). Der Abgasverlust soll unter 9 Prozent liegen; höhere Werte deuten auf einen verrußten Wärmetauscher hin.",
      "Das Ausdehnungsgefäß wird alle zwei Jahre geprüft. Der Vordruck beträgt 1,0 bar. Fällt er darunter, ist Stickstoff nachzufüllen, keine Luft.",
    ],
    question: "Worauf deutet ein hoher Abgasverlust hin?",
    answer:
      "Auf Ruß im Wärmetauscher. Im Handbuch heißt es: „<<Der Abgasverlust soll unter 9 Prozent liegen; höhere Werte deuten auf einen verrußten Wärmetauscher hin>>“ @.",
    next: "Wie oft muss der Brenner gereinigt werden?",
    reply: "Einmal im Jahr, und zwar „<<am besten vor Beginn der Heizperiode>>“.",
    memory:
      "Wenn zu viel Wärme durch den Schornstein verloren geht, ist meist die Verbrennung schlecht eingestellt, oder die Flächen im Kessel sind verschmutzt. Eine Fachfirma misst das in wenigen Minuten nach.",
    tellTale: "verrußten Wärmetauscher",
  },
  {
    source: "archiv/chronik-moorkirchen.txt",
    language: "de",
    chunks: [
      "Im Jahre 1783 brannte die Kirche von Moorkirchen nieder, nachdem der Blitz in den Dachreiter gefahren war. Pfarrer Ohlsen schrieb in das Kirchenbuch: »Von allem ist uns nur die kleine Glocke geblieben.« Der Neubau dauerte elf Jahre und verschlang 4.200 Taler, von denen der Amtmann die Hälfte aus eigener Tasche gab.",
      "Das Armenhaus am Deich wurde 1811 geschlossen. Seine Bewohner kamen bei Bauern unter, die dafür ein halbes Jahr von den Abgaben befreit waren.",
    ],
    question: "Was blieb von der Kirche nach dem Brand?",
    answer: "Fast nichts. Der Pfarrer notierte: »<<Von allem ist uns nur die kleine Glocke geblieben>>.« @",
    next: "Wer bezahlte den Neubau?",
    reply: "Die Hälfte der 4.200 Taler gab der Amtmann aus eigener Tasche. Woher der Rest kam, steht dort nicht.",
    memory:
      "Bei Kirchenbränden jener Zeit retteten die Leute meist die liturgischen Geräte und einige Bücher, während Dachstuhl und Glocken verloren gingen. Was es in diesem Dorf war, kann ich nicht sagen.",
    tellTale: "die kleine Glocke",
  },
  {
    source: "richtlinien/urlaub.docx",
    language: "de",
    chunks: [
      "Der Jahresurlaub beträgt 30 Arbeitstage. Resturlaub verfällt am 31. März des Folgejahres, sofern er nicht aus dringenden betrieblichen Gründen übertragen wurde. Anträge sind mindestens zwei Wochen vorher über das Portal zu stellen. Zwischen Weihnachten und Neujahr ist der Betrieb geschlossen; dafür werden drei Urlaubstage angerechnet.",
      "Bei Krankheit ist die Bescheinigung am vierten Tag vorzulegen. Die Meldung an die Leitung erfolgt am ersten Tag vor Arbeitsbeginn, telefonisch oder per Nachricht.",
    ],
    question: "Wann verfällt mein Resturlaub?",
    answer:
      "Ende März: „<<Resturlaub verfällt am 31. März des Folgejahres>>“ @, es sei denn, dringende betriebliche Gründe sprachen dagegen.",
    next: "Und wie lange vorher muss ich den Antrag stellen?",
    reply: "Mindestens zwei Wochen vorher, und zwar über das Portal.",
    memory:
      "In vielen Betrieben muss der Urlaub im laufenden Jahr genommen werden. Eine Übertragung ins erste Quartal ist üblich, wenn er aus betrieblichen Gründen nicht genommen werden konnte.",
    tellTale: "31. März",
  },
  {
    source: "guides/refuge-des-aiguilles.md",
    language: "fr",
    chunks: [
      "Le refuge des Aiguilles se trouve à 2 480 mètres d'altitude et compte 46 couchettes. Il est gardé du 15 juin au 20 septembre ; en dehors de cette période, seule la salle d'hiver reste ouverte, avec douze places et un poêle à bois. La montée depuis le parking du Lauzet prend trois heures et demie. Les chiens ne sont pas admis dans les dortoirs.",
      "Le lac Noir, à vingt minutes du refuge, est alimenté par la fonte des neiges. La baignade y est déconseillée avant la mi-juillet, car l'eau ne dépasse guère six degrés.",
    ],
    question: "Peut-on dormir au refuge en octobre ?",
    answer:
      "Oui, mais sans gardien : « <<seule la salle d'hiver reste ouverte, avec douze places et un poêle à bois>> » @.",
    next: "Combien de temps dure la montée ?",
    reply: "Il faut compter trois heures et demie depuis le parking du Lauzet.",
    memory:
      "Beaucoup de refuges de montagne ferment à la fin de l'été et laissent une petite pièce accessible aux randonneurs pendant la saison froide. Il vaut mieux emporter de quoi se chauffer et se nourrir.",
    tellTale: "la salle d'hiver",
  },
  {
    source: "archives/lettre-marchand-1762.txt",
    language: "fr",
    chunks: [
      "Le navire La Constance quitta Nantes le 4 avril 1762 avec 180 tonneaux de vin et d'eau-de-vie. Une tempête au large du cap Finisterre lui brisa le grand mât ; le capitaine Kerjean fit jeter par-dessus bord un tiers de la cargaison. « Nous avons sauvé le navire en perdant le bénéfice », écrit-il à l'armateur, qui lui retira aussitôt son commandement.",
      "L'inventaire de la maison de l'armateur, dressé en 1770, mentionne quatre tapisseries, deux clavecins et une bibliothèque de six cents volumes.",
    ],
    question: "Pourquoi le capitaine a-t-il perdu son commandement ?",
    answer:
      "Parce qu'il avait sacrifié une partie du chargement. Il l'avoue lui-même : « <<Nous avons sauvé le navire en perdant le bénéfice>> » @.",
    next: "Quelle quantité a été perdue ?",
    reply: "Un tiers de la cargaison, jeté par-dessus bord au large du cap Finisterre.",
    memory:
      "Les armateurs jugeaient un capitaine à la cargaison qu'il ramenait. Celui qui perdait des marchandises, même pour sauver son équipage, risquait fort de ne plus obtenir de navire.",
    tellTale: "un tiers de la cargaison",
  },
  {
    source: "manuales/horno-cervera-200.pdf",
    language: "es",
    chunks: [
      "Antes del primer uso, caliente el horno vacío a 250 grados durante cuarenta minutos con la ventana abierta. El olor desaparece por sí solo. No cubra nunca el suelo del horno con papel de aluminio, porque el calor acumulado agrieta el esmalte. La bombilla se cambia por otra de 25 vatios, resistente a 300 grados, con el aparato desenchufado.",
      "La limpieza por vapor se hace con medio litro de agua en la bandeja, a 80 grados y durante media hora. Los restos se retiran después con un paño húmedo.",
    ],
    question: "¿Por qué no se debe poner papel de aluminio en el suelo del horno?",
    answer: "Porque daña el esmalte: «<<el calor acumulado agrieta el esmalte>>» @. Use mejor una bandeja.",
    next: "¿Qué bombilla necesito?",
    reply: "Una de 25 vatios, resistente a 300 grados. Desenchufe el aparato antes de cambiarla.",
    memory:
      "El papel refleja el calor y altera la circulación del aire, de modo que la comida se hace de forma desigual. Además puede pegarse a la superficie y ser muy difícil de quitar.",
    tellTale: "agrieta el esmalte",
  },
  {
    source: "informes/humedales-2021.html",
    language: "es",
    chunks: [
      "El censo de enero de 2021 contó 14.300 flamencos en la laguna, el doble que el año anterior. La bióloga Remedios Olmedo lo atribuye a las lluvias de otoño: «El agua llegó dos meses antes y se quedó». En cambio, la cerceta pardilla no crió por tercer año consecutivo, pese a las tres islas artificiales que se levantaron para ella en 2018.",
      "Las visitas guiadas salen los sábados a las nueve. El grupo no pasa de quince personas y los prismáticos se prestan gratis.",
    ],
    question: "¿A qué se debe el aumento de los flamencos?",
    answer: "A las lluvias de otoño. Según Olmedo, «<<El agua llegó dos meses antes y se quedó>>» @.",
    next: "¿Y la cerceta pardilla?",
    reply: "No crió por tercer año consecutivo, a pesar de las islas artificiales.",
    memory:
      "El número de flamencos en una laguna depende sobre todo del nivel del agua y de la comida que encuentran, así que cambia mucho de un invierno a otro según haya llovido.",
    tellTale: "dos meses antes",
  },
  {
    source: "手册/茶叶储存.md",
    language: "zh",
    chunks: [
      "绿茶应当密封后放在冰箱里保存，温度以五度为宜。取出以后不要马上打开，要等它回到室温，否则空气中的水分会凝结在茶叶上。陈年普洱则完全不同，它需要通风，最忌讳冰箱。王师傅常说：“好茶怕冷更怕闷。”开封的绿茶最好在三十天之内喝完。",
      "茶壶不宜用洗洁精清洗。每次用完以后倒掉茶渣，用热水冲两遍，打开盖子晾干即可。",
    ],
    question: "从冰箱里拿出来的绿茶可以马上打开吗？",
    answer: "不可以。书里写道：“<<要等它回到室温，否则空气中的水分会凝结在茶叶上>>”@。",
    next: "开封以后能放多久？",
    reply: "最好在三十天之内喝完。",
    memory: "低温的东西放到温暖潮湿的空气里，表面会结出水珠，所以一般建议先放一会儿，再打开包装。",
    tellTale: "回到室温",
  },
  {
    source: "資料/山小屋の利用.txt",
    language: "ja",
    chunks: [
      "山小屋の予約は電話のみで受け付けており、三日前までに連絡が必要です。消灯は午後八時半で、それ以降の到着は必ず事前に知らせてください。水は一人一日二リットルまで無料ですが、雨が少ない年は有料になります。主人の中村さんは「山では水がいちばんのごちそうです」と話しています。",
      "下山の道は落石のため七月末まで通行止めです。迂回路は一時間ほど余計にかかります。",
    ],
    question: "予約はいつまでにすればいいですか。",
    answer: "電話で早めに連絡してください。「<<三日前までに連絡が必要です>>」とあります@。",
    next: "水はもらえますか。",
    reply: "はい。一人一日二リットルまで無料です。ただし雨が少ない年は有料になります。",
    memory:
      "多くの山小屋では、食事や寝床の準備があるため、余裕をもって予約することが求められます。直前の場合は断られることもあります。",
    tellTale: "三日前まで",
  },
  {
    source: "справочник/маяк-белая-коса.txt",
    language: "ru",
    chunks: [
      "Маяк на Белой косе построен в 1896 году из кирпича, который привозили на баржах. Высота башни 34 метра, свет виден за девятнадцать миль. В 1941 году смотритель Фёдор Лазарев погасил огонь по приказу, а линзу зарыл в песок. «Песок хранит лучше людей», говорил он потом. Линзу нашли только в 1953 году.",
      "Рыбацкий посёлок на косе существовал до 1962 года. Жителей переселили после того, как шторм размыл дорогу.",
    ],
    question: "Что случилось с линзой маяка во время войны?",
    answer: "Смотритель «<<погасил огонь по приказу, а линзу зарыл в песок>>» @. Её нашли только в 1953 году.",
    next: "Как далеко виден свет?",
    reply: "За девятнадцать миль; высота башни 34 метра.",
    memory:
      "Во время войны огни на побережье гасили, чтобы они не помогали противнику, а ценное оборудование снимали и прятали или увозили в тыл. После войны многое пришлось делать заново.",
    tellTale: "зарыл в песок",
  },
]
