import { foldCodePoint } from "./fold.ts";
import { buildTrie, type Trie } from "./trie.ts";

/**
 * Ideas that attacks are made of, and the words for them: English, Chinese, German, French, Spanish, Italian, Portuguese, Dutch,
 * Polish, Russian; the few that matter most also in Czech, Turkish, Indonesian, Vietnamese, Arabic, Hindi, Bengali, Japanese, Korean.
 * `*` ends a stem. No word is an attack: rules and the model look at several ideas near each other.
 */
const WORDS = {
  ignore:
    "ignor* disregard* forget forgets forgetting overrid* overrule* bypass* neglect abandon* dismiss* discard* skip circumvent* supersed* 忽略 忽视 无视 忘记 忘掉 不要理会 不用管 抛开 绕过 不理会 ignorier* vergiss vergesst vergessen missacht* umgeh* verwirf oublie* oubliez neglig* contourn* olvid* omit* descart* desestim* pasa dimentic* scorda* trascura* tralascia* esquec* esquec* desconsider* negeer* vergeet* omzeil* zignoruj* ignoruj* zapomnij* pomin* zapomin* игнорир* проигнорир* забуд* забыть отбрось* обойд* zapomen* unut* yoksay* gormezden abaikan lupakan 'bo qua' تجاهل* انس अनदेखा भूल উপেক্ষা 無視 忘れ 무시* 잊어*",
  prior:
    "previous* prior above earlier preceding preceed* before foregoing former original initial existing hitherto aforementioned past upstream 之前 以前 上面 以上 先前 前面 此前 上述 原来 原先 vorherig* vorig* bisherig* davor zuvor obig* fruher* ursprunglich* precedent* anterieur* avant 'ci-dessus' initial* anterior* previ* antes arriba acima original* precedent* sopra prima iniziali voorgaande* vorige* eerder* hierboven bovenstaand* oorspronkelijk* poprzedn* wczesniejsz* powyzsz* dotychczas* предыдущ* прежн* выше ранее прошл* predchoz* onceki* yukaridaki sebelumnya atas السابق* اعلاه पिछल* ऊपर পূর্ববর্তী উপরের 以前の 上記 前の 이전* 위의",
  instruction:
    "instruction* instruct* directive* command* guideline* guidance* rule* order* prompt* programming constraint* policies policy protocol* directives briefing 指令 指示 命令 规则 提示 说明 设定 要求 约束 anweisung* instruktion* befehl* auftrag* auftrage* regel* vorgabe* richtlinie* anordnung* consigne* directive* regle* ordre* instruccion* orden* regla* indicacion* directric* istruzion* regol* direttiv* comand* instruc* instruco* regra* diretriz* orientac* instructie* opdracht* richtlijn* bevel* aanwijzing* instrukcj* polecen* zasad* wytyczn* regul* инструкци* указани* команд* правил* приказ* instrukc* pokyn* talimat* kural* instruksi perintah 'chi dan' تعليمات التعليمات अनुदेश निर्देश* নির্দেশ* 指示 命令 プロンプト 지시* 명령* 지침*",
  everything:
    "everything anything all every any whole entire entirely complete full 所有 全部 一切 任何 alles alle allen allem samtlich* ganze* gesamt* tout toute* tous todo* toda* cualquier* tutto tutti tutte qualsiasi tudo qualquer allemaal wszystk* wszelk* все всё всех всю любы* vsechn* tum hepsi semua tat كل सब सभी সব すべて 全て 모든 모두",
  said: "told said say given gave provided received learned learnt know know* stated mentioned instructed assigned 说过 告诉 知道 学到 gesagt* gegeben erhalten gelernt erklart dit appris recu donne dicho dado aprendido sabes detto dato imparato ricevuto dito aprendeu gezegd verteld gekregen geleerd powiedzian* wiesz сказан* говорил* знаешь знаете",
  fresh:
    "new following instead different updated real actual actually true now next 新的 以下 现在 接下来 改为 下面 neue* folgend* stattdessen jetzt nun nouvelle* nouveau* suivant* desormais maintenant nuev* siguiente* ahora nuov* seguent* adesso ora nov* seguinte* agora nieuw* volgend* voortaan now* nastepuj* teraz нов* следующ* теперь вместо",
  you: "you your yours yourself u ur 你 您 du dein* dich dir sie ihr* ihnen tu vous votre vos toi tes ton usted tus tuyo te voi tuo tue tua vostro voce seu suas sua jij jouw je uw ty twoj* twoje ciebie ты тебя твой твои вы ваш* вас",
  model:
    "ai assistant assistants chatbot chatgpt gpt llm llms model language-model bot claude gemini copilot llama mistral agent openai anthropic deepseek grok 人工智能 助手 模型 机器人 语言模型 智能体 ki assistent* sprachmodell* modell assistante* modele* ia asistente* modelo* assistente* modello taalmodel asystent* sztuczn* модел* ассистент* ассистен* нейросет* помощник* бот ИИ",
  reveal:
    "reveal* show print output repeat display disclose* leak* dump* divulg* expose reproduce recite echo paste tell share write spell enumerate 显示 输出 打印 重复 透露 泄露 告诉我 展示 列出 公开 复述 zeig* gib ausgeben nenn* wiederhol* verrat* offenbar* drucke affiche* montre* revele* repete* imprime* donne* muestr* revel* repit* imprim* dime ensen* mostra* rivel* ripet* stampa* dimmi mostre repita imprima diga toon* laat onthul* herhaal* geef pokaz* ujawn* powtorz* wypisz* wyswietl* podaj покаж* раскро* повтор* выведи* напечат* скажи* назови ukaz* goster* tampilkan tunjukkan 'tiet lo' اكشف اعرض दिखा* बताएं বলুন 教えて 表示 보여* 알려*",
  prompt:
    "prompt prompts promt system-prompt systemprompt preprompt pre-prompt metaprompt 提示词 提示语 系统提示 初始提示 初始指令 开场白 prompttext aufforderung* promptu monit промпт* промт* プロンプト 프롬프트",
  system: "system systems sys root kernel 系统 systeme sistema systeem systemow* systemu систем* システム 시스템",
  hiddenWord:
    "hidden secret* confidential internal private verbatim word-for-word initial exact exactly 隐藏 秘密 机密 内部 原文 逐字 geheim* versteckt* wortlich* intern* vertraulich* cache* secrete* confidentiel* mot-a-mot ocult* secret* confidencial* textualmente nascost* segret* riservat* ocult* segred* verborgen geheime* vertrouwelijk* letterlijk ukryt* tajn* poufn* doslown* скрыт* секрет* тайн* конфиденц* дословно gizli rahasia",
  credential:
    "password* passcode* passphrase* passwort* credential* credentials token tokens apikey api-key secret-key private-key pin login ssn otp cvv passwd keyword 密码 口令 密钥 凭证 秘钥 kennwort zugangsdaten schlussel motdepasse mot-de-passe contrasen* clave* credencial* parola-d'ordine senha* wachtwoord* hasl* парол* ключ* heslo sifre sandi 'mat khau' سر पासवर्ड पासकोड পাসওয়ার্ড 合言葉 パスワード 비밀번호 암호",
  act: "act acting pretend* roleplay role-play role-playing simulate simulat* impersonat* imagine become becom* embody portray emulate persona transform assume 扮演 假装 模拟 假设 充当 成为 假扮 想象 spiel* simulier* stell tu verhalte* benimm agis joue* imagine* simule* pretend* fais actua* finge* imagin* compor* interpreta* fingi* immagina* comporta* recita aja finja* comporte-se doe alsof gedraag* speel stel zachowuj udawaj* wciel* wyobraz* odgryw* веди притвор* представь* действу* сыграй* изображай* rol berpura* 扮 ふり 演じ 역할 척",
  persona:
    "dan stan dude aim evil villain* jailbreak* jailbroken alter-ego unhinged devmode omega betabot evilbot freedomgpt machiavelli* sinister malicious rogue anarch* sociopath* psychopath* ruthless demon* overlord omnisexual 越狱 邪恶 恶魔 开发者模式 bosart* malvad* mechant* cattiv* kwaadaardig* zly злой злая джейлбрейк",
  free: "unrestricted unfiltered uncensored unlimited unbound unconstrained unmoderated limitless amoral unethical immoral nonmoral lawless boundless untethered freed unshackled liberated unbiased unconditional 无限制 不受限制 没有限制 无审查 不受约束 没有约束 无道德 uneingeschrankt* unzensiert* ungefiltert* grenzenlos* unmoralisch* unethisch* sansrestriction illimit* amoral* 'non censure' irrestrict* ilimitad* sincensura senzarestrizioni illimitat* irrestrit* onbeperkt* ongefilterd* ongecensureerd* nieograniczon* nieocenzurowan* неограничен* безгранич* аморальн* нецензур*",
  negation:
    "no not never without dont don't free none neither nor cannot can't doesn't won't isn't aren't longer nothing zero lack* 不 没有 无 不要 不会 不再 永远不 别 kein* nicht ohne nie niemals frei keinerlei ne pas sans jamais aucun* ni sin nunca ningun* non senza mai nessun* nao sem nunca nenhum* geen niet zonder nooit nie bez nigdy zadn* не без никогда никак* нет",
  restraint:
    "restriction* restrict* filter* limit* limits limitation* censor* ethic* moral* morality guardrail* safety safeguard* boundar* bound* rules law laws legal* illegal* content-policy policies guidelines warnings disclaimer* consequence* inhibition* moderation 限制 过滤 审查 道德 伦理 法律 安全 警告 规范 约束 einschrankung* beschrankung* zensur ethik* grenz* filter* richtlinien sicherheits* gesetz* restriction* limite* censur* ethique* moral* filtre* restriccion* limit* etic* filtro* censur* restrizion* etic* restric* etic* beperking* ethisch* grenzen ogranicz* etyk* cenzur* moraln* ограничен* цензур* этик* мораль* фильтр* закон* запрет*",
  refuse:
    "refuse* refusal refusing decline* deny apolog* sorry reject* unable disclaim* disclaimer* caveat* warn warnings lecture moralize moralise unfortunately 拒绝 抱歉 对不起 无法 道歉 免责 weiger* ablehn* entschuldig* lehne refus* desole* excuse* rechaz* niega* negar* disculp* rifiut* scus* recus* desculp* negue weiger* excuus odmawia* odmow* przeprasz* отказ* извин*",
  must: "must always only strictly absolutely shall mandatory required obey* comply* complies adhere forced ensure obligat* insist 必须 只能 一定 务必 绝对 严格 服从 遵守 musst mussen darfst immer nur unbedingt gehorch* befolg* dois devez toujours seulement uniquement strictement obei* debes debe siempre solo obedec* cumple* devi dovete sempre solo soltanto obbedi* deve deves sempre apenas somente obedec* moet altijd alleen gehoorza* musisz zawsze tylko wylacznie должен должн* всегда только обязан* подчин*",
  answer:
    "respond* response* answer* reply replies respuest* responde* responda* reponds reponse* repondez antwort* antworte* rispond* rispost* respost* antwoord* odpowied* odpowiad* ответ* отвеч* 回答 回复 答复 output outputs completion",
  begin:
    "start starting begin begins beginning prefix preface open opening first end ending 开头 开始 以 beginne* beginn* commence* debut empieza* comienza* inizia* comece* inicia* begin zacznij* начн* начин*",
  confirm:
    "confirm* acknowledge* understood understand ok okay sure certainly yes accept* agree* absolutely 确认 明白 当然 好的 verstanden bestatig*",
  character:
    "character* persona role roles break breaking stay staying game 角色 人设 rolle personnage* personaje* personaggio rol personagem papel postac* rola роль персонаж*",
  fiction:
    "fiction* fictional hypothetical* novel novelist story stories screenplay screenwriter imaginary fantasy parallel universe scenario* thriller protagonist villain author playwright alternate movie film script 小说 虚构 假想 故事 剧本 hypothet* fiktiv* roman roman* geschichte fiktion hypothet* fictif* histoire ficcion* ficticio* hipotet* novela historia ipotet* romanzo finzion* immaginari* ficcao fictici* romance fictief* verhaal fikcyj* hipotet* powiesc* вымышлен* гипотетич* роман* рассказ*",
  purpose:
    "educational education purposes research academic awareness training study only legitimate authorized purely strictly simulation 教育目的 研究 学术 学习目的 bildungszweck* forschung* wissenschaft* educatif* recherche educativ* investigacion educacional* pesquisa onderzoek* edukacyj* badaw* образовательн* исследован*",
  harm: "bomb* explosive* explosion weapon* firearm* grenade malware virus ransomware trojan keylogger worm spyware botnet phish* hack hacks hacking hacked hacker* exploit exploits ddos backdoor crack cracking meth methamphetamine cocaine heroin fentanyl narcotic* drug drugs kill killing murder* assassinat* poison* steal* theft stolen fraud* scam* counterfeit* forge* launder* traffick* smuggl* blackmail* extort* embezzl* brib* bribe insider pirat* suicid* self-harm anorexia porn* sexual rape pedo* child minors racist racism hate hatred slur* nazi genocid* terror* extremis* militia defam* slander* libel* misinformation disinformation propaganda deepfake* fake hoax* conspirac* stalk* dox* bully* bullying harass* torture* abuse* cannibal* arson vandal* sabotage* kidnap* burglar* robbery lockpick* evade evasion unsafe dangerous harmful toxic illegal unlawful criminal* crime gore violence violent anthrax ricin nerve chlorine biological chemical nuclear ponzi pyramid shoplift* tamper* manipul* exploit* 炸弹 爆炸 武器 病毒 恶意软件 黑客 毒品 冰毒 杀 谋杀 毒药 偷 盗 诈骗 伪造 洗钱 走私 勒索 自杀 色情 仇恨 恐怖 假新闻 钓鱼 bombe* sprengstoff* waffe* gift* droge* mord* stehlen betrug* hass gefalsch* bombe* explosif* arme* drogue* tuer voler fraude haine bomba* explosiv* arma* droga* matar robar fraude odio bomba ordigno arma* droga* uccid* rubare frode odio veneno roubar bom wapen* drugs vermoord* stelen haat bomb* bron narkotyk* zabi* krasc* oszust* бомб* взрывчат* оруж* наркот* убий* убить украсть мошен* ненавист*",
  violence:
    "kill* murder* slay assassin* massacre* slaughter* stab* shoot* strangl* behead* tortur* beat* hurt* injur* attack* assault* maim* maul* execut* lynch* bloodshed blood* gore gory brutal* corpse* victim* kidnap* abduct* hostage* ambush* riot* violen* war warfare genocid* massak* tote* toten angriff* gewalt* entfuhr* verletz* tuer meurtre* assassin* attaqu* violen* enlev* matar asesin* ataca* secuestr* herir uccider* omicid* attacc* rapire violenz* matar assassin* atacar sequestr* moord* doden aanval* geweld* zabi* morder* atak* przemoc* porwa* убит* убий* напад* насил* похи* 杀 谋杀 袭击 暴力 绑架 折磨",
  weapon:
    "bomb* explosi* detonat* grenade* gun guns firearm* rifle* pistol* ammunition ammo bullet* silencer* missile* landmine* dynamite tnt c4 thermite napalm molotov gunpowder fertilizer fertiliser bioweapon* nerve sarin ricin anthrax toxin* poison* cyanide arsenic chlorine plutonium uranium knife knives weapon* arson* gasoline waffe* bombe* sprengstoff* gift giftig* arme armes bombe* explosif* poison* arma armas bomba* explosiv* venen* pistola* ordign* wapen* bom gif bron bomb* trucizn* оруж* бомб* взрыв* яд 炸弹 炸药 武器 枪 毒药 爆炸",
  drug: "meth methamphetamine* cocaine crack heroin* fentanyl opioid* opiate* lsd mdma ecstasy ketamine ghb rohypnol steroid* xanax adderall oxycodone marijuana cannabis weed narcotic* overdos* dealer* cartel* hallucinogen* dmt psilocybin drug drugs drogen* drogue* droga* kokain* heroïn* narkotyk* наркот* 毒品 冰毒 海洛因 大麻",
  cyber:
    "malware ransomware virus viruses trojan* worm worms spyware keylog* rootkit* botnet* backdoor* exploit* payload* ddos phish* spoof* hack* crack* brute-force sql-injection injection xss vulnerab* zero-day intrusion breach* infiltrat* hijack* sniff* privilege* unauthori* credential-stuffing cryptojack* firewall* antivirus evad* bypass* schadsoftware hacke* pirat* logiciel malveill* malicios* virus hacker* wirus* haker* вирус* взлом* хакер* 病毒 黑客 木马 漏洞 入侵",
  fraud:
    "fraud* scam* swindl* counterfeit* forg* launder* ponzi pyramid embezzl* brib* kickback* extort* blackmail* insider offshore shell-company tax-evasion evade fake* bogus sham impersonat* identity-theft skim* shoplift* burgl* rob robbery robber* steal* stole stolen theft thief thieves loot* smuggl* traffick* contraband pirated plagiari* cheat* rig rigged rigging tamper* sabotag* betrug* falsch* bestech* erpress* diebstahl stehlen gestohlen raub* fraud* arnaqu* vol* voler faux corromp* estaf* frode* truff* rubar* roubar golpe falsific* sobornar soborno chantaj* oplicht* stelen diefstal vervals* oszust* ukras* krad* falszyw* мошен* украсть кража поддел* взятк* 诈骗 伪造 洗钱 偷 贿赂 敲诈 假钞 走私",
  hate: "racis* racist* sexis* xenophob* antisemit* islamophob* homophob* transphob* bigot* supremac* nazi* hitler fascis* jew jews jewish muslim* immigrant* refugee* migrant* blacks gays lesbian* trans minority minorities ethnic* inferior subhuman slur* hate* hatred hateful discriminat* stereotyp* segregat* slave* slavery genocid* ethnic-cleansing misogyn* women's derogatory offensive insult* mock* demean* humiliat* jude* juden auslander* rassis* hass* fremden* juif* juifs arabes etranger* racis* haine judio* racis* odio ebrei razzis* joden haat zydzi rasis* евре* расис* ненавист* 种族 歧视 仇恨 犹太",
  sexual:
    "sex sexual* sexy porn* erotic* nude* naked rape raped rapist incest* bestial* orgy fetish* orgasm* genital* penis vagina breast* nsfw explicit lewd horny seduc* groom* molest* pedoph* underage minor minors child-porn prostitut* brothel* escort* strip* kink* smut hentai lolit* aroused arousing sexuell* nackt* vergewaltig* sexe sexuel* nu nue viol* sexo desnud* violar sesso nud* seks* nagi* gwalt* секс* порно* голы* изнасил* 色情 性爱 裸体 强奸 儿童色情",
  selfHarm:
    "suicid* self-harm selfharm cutting anorexi* bulimi* pro-ana starv* thinspo fasting laxative* overdose hang hanging noose wrist wrists hopeless end-it selbstmord* selbstverletz* hunger* suicide* suicid* autolesion* zelfmoord samoboj* самоуби* суицид* 自杀 自残 厌食",
  deceit:
    "misinform* disinform* propaganda hoax* conspirac* conspirat* rumor* rumour* lie lies lying deceiv* decept* deceit* mislead* manipulat* brainwash* indoctrinat* radicali* recruit* cult cults deepfake* fabricat* defam* slander* libel* smear* fake-news denial denier* flat-earth holocaust 9/11 antivax vaccin* 5g chemtrail* election* vote votes voter* voting ballot* polling lugen* verschworung* falschmeldung* propagand* mensonge* complot* desinformation mentir* bulos conspirac* bugie menzogn* complott* desinform* leugen* klamst* propagand* spisek ложь заговор* пропаганд* 谣言 假新闻 阴谋 宣传 操纵 选举",
  abuse:
    "stalk* harass* dox* bully* bullies bullied intimidat* threat* threaten* blackmail* revenge spy spying surveil* eavesdrop* track tracking wiretap* hidden-camera peeping catfish* gaslight* isolate* coerc* abus* molest* exploit* neglect* dogfight* cannibal* cruel* sadis* torment* mobb* belastig* bedroh* verfolg* menac* harcel* acos* amenaz* minacc* ameac* persegu* bedreig* grozi* przeslad* угро* травл* 跟踪 骚扰 威胁 虐待 偷拍",
  illegal:
    "illegal* unlawful* illicit* crime crimes criminal* felon* outlaw* prohibit* forbidden banned taboo unethical immoral black-market darknet dark-web underground mafia gang gangs gangster* terror* extremis* militia* jihad* isis insurgen* coup regime dictator* police cops fbi arrest* jail prison* law-enforcement undetected untraceable loophole* unregulated toxic-waste dump dumping pollut* hazardous dangerous deadly lethal harmful unsafe verboten* illegal* kriminell* straftat* verbrech* illegal* criminel* interdit* ilegal* crimen criminal* prohibid* illegal* crimin* vietat* ilegal* crime proibid* misda* verboden nielegaln* przestep* незакон* преступ* запрещ* 非法 犯罪 违法 恐怖 黑市",
  protect:
    "protect* prevent* avoid* safeguard* defend* detect* recogni* identif* report reporting spot warn* aware* awareness educat* support* recover* heal* cope coping therap* counsel* help helping legal* legally lawful ethical* ethically respectful* responsib* safely safety secure security comply complian* consent* permission privacy rights justice fair* inclusive prevention combat* fight* reduce reducing stop schutz* schutzen verhind* vermeid* sicher* proteg* prevenir eviter evitar prevenir segur* protegg* evitare sicur* bescherm* voorkom* veilig* chroni* zapobieg* bezpiecz* защит* предотвр* безопас* 保护 防止 预防 避免 安全 合法",
  playful:
    "funny humorous humor humour whimsical comedy comedic joke jokes rhyme* rhyming poem poetry haiku limerick lullaby fable fairy magical magic enchanted wizard* dragon* unicorn* mermaid* superhero* adventure* adventurous quest treasure* pirate* kingdom* castle* forest* friendship heartwarming cozy children's picnic birthday wedding garden* recipe* cook* bake* baking travel* holiday vacation family parents teacher* student* classroom homework exam lustig* marchen* drole conte cuento divertid* favola divertent* engracad* sprookje bajk* zabawn* смешн* сказк* 有趣 童话 诗 旅行 食谱",
  howTo:
    "how how-to step steps step-by-step guide tutorial detailed detail blueprint recipe walkthrough plan method* procedure* script program code instructions explain describe outline list provide write create generate develop draft craft design 步骤 教程 如何 怎么 详细 方法 指南 教我 编写 anleitung* schritt* wie erklare beschreibe schreibe* comment etape* guide expliqu* ecri* como paso* guia explica* escrib* come passo* guida spieg* scriv* como passo* escrev* hoe stap* handleiding* schrijf jak krok* poradnik* napisz как шаг* инструкци* напиши",
  undetected:
    "undetected undetectable detection detected untraceable caught unnoticed secretly covertly discreet* stealth* trace traces silently quietly 不被发现 不被察觉 悄悄 偷偷 秘密地 unbemerkt heimlich unauffallig indetect* discret* secretement secretamente sigilos* segretamente ongemerkt heimelijk niezauwazen* potajemnie незамет* тайно",
  send: "send sends forward* upload* transmit* exfiltrat* email e-mail mail post posts fetch curl wget submit* deliver* copy bcc append* encode report attach* 发送 发到 转发 上传 提交 邮件 schick* send* sende* weiterleit* hochlad* ubermittl* envoie* envoyez transmet* televers* transfer* envia* enviar manda* reenvia* sube invia* inoltra* carica envie encaminh* stuur* verzend* doorstu* wysl* wyslij* przeslij* prześlij* отправ* перешл* загруз* пошли*",
  data: "data conversation* history chat context information contents content files file documents contacts messages inbox record* variables environment env database details 数据 对话 聊天记录 历史 上下文 信息 文件 联系人 daten verlauf gesprach* unterhaltung* kontakt* donnees historique conversation* fichier* datos historial conversacion* archivo* dati cronologia conversazion* dados historico conversa* gegevens gesprek* dane historia* rozmow* данн* истори* перепис* файл*",
  user: "user users customer client human owner recipient 用户 客户 nutzer* benutzer* utilisateur* usuario* utente* utilizador* gebruiker* uzytkownik* пользовател*",
  tool: "tool tools function functions plugin* api endpoint webhook browser terminal shell interpreter 工具 函数 插件 接口 werkzeug* funktion* outil* fonction* herramient* funcion* strument* funzion* ferramenta* funcao gereedschap* narzedzi* funkcj* инструмент* функци*",
  call: "call calls calling invoke* use using execute* run running trigger* perform* launch* 调用 使用 执行 运行 rufe aufruf* verwend* benutze* fuhre ausfuhr* appelle* utilis* execut* lance* llama* usa* ejecut* chiama* usa* esegu* chame use execute* gebruik* voer roep uzyj* wywolaj* uruchom* wykonaj* вызов* использ* выполн* запуст*",
  destroy:
    "delete* deleting remove wipe* erase* drop destroy* transfer* wire pay payment refund* disable* deactivate* grant approve* escalate* purchase 删除 转账 清空 支付 禁用 授权 losch* uberweis* deaktivier* supprim* efface* vire* elimin* borra* transfier* cancell* elimina* bonifico apague exclua* transfira* verwijder* overmaak* usun* skasuj* przelej* удал* перевед* отключ*",
  dontTell:
    "tell mention inform notify reveal disclose alert ask confirm 提及 告知 通知 erwahn* sag* mentionn* inform* mencion* avis* menziona* informa* vermeld* wspomin* informuj* упомина* сообща* говори",
  urgent:
    "important* urgent* attention critical priority immediately warning notice alert highest emergency 重要 紧急 注意 优先 立即 wichtig* achtung dringend* sofort attention important* urgent* importante* urgente* atencion attenzione atencao belangrijk* dringend uwaga wazne pilne важно внимание срочно",
  mode: "mode modus mod modalita modo tryb режим 模式 モード 모드 simulator virtual-machine sandbox session",
  privileged:
    "developer admin administrator root superuser sudo debug maintenance god override unlocked test diagnostic engineer owner creator authority authorized law enforcement 开发者 管理员 调试 维护 entwickler* wartung* administrateur developpeur administrador desarrollador amministratore sviluppatore programador desenvolvedor beheerder ontwikkelaar administrator* programist* разработчик* администратор* отладк*",
  done: "done completed complete finished finish great excellent good job well task success* resolved 完成 结束 很好 干得好 fertig gut gemacht ausgezeichnet* hervorragend erledigt termine* bravo hecho bien terminado fatto completat* feito concluid* klaar gedaan gotowe zakoncz* готово выполнен* отлично",
  task: "task tasks job mission goal objective assignment question query request 任务 目标 问题 aufgabe* aufgaben tache* tarea* compito tarefa* taak zadani* задач* задани*",
  embed:
    "embed* include* incorporat* insert* integrat* append* supplement* augment* enrich* enhanc* add adding modify weave mention hint promote advertis* recommend* replace substitute 包含 插入 加入 添加 fuge einfug* erwahne inclu* ajoute* inser* inclu* anad* agreg* inclu* aggiung* inser* adicion* voeg dodaj* wstaw* uwzgledn* добавь* включи* вставь*",
  snippet: "snippet* code codeblock code-block segment section block fragment extract lines 代码 代码段 code-schnipsel codeblock",
  shift:
    "reverse* backwards cipher* caesar rot13 base64 binary hexadecimal encrypt* encod* decod* ascii morse leetspeak emoji emojis uppercase capital* spaced alphabet positions letter letters 反转 倒序 加密 编码 解码 凯撒 ruckwarts verschlussel* envers chiffr* codif* cifra* al-reves rovescio cifra* contrario omgekeerd* odwroc* zaszyfruj* наоборот зашифр* закодир*",
  malcode:
    "reverse-shell netcat pickle socket subprocess keylog* pynput xmrig miner dd chmod crontab authorized_keys etc/passwd popen exec eval base64-d iptables hosts connect accept bind listen shutil rmtree cryptography fernet",
  ask: "what which why who whom whose when where how can could would will should is are do does did may have was wer wann wo warum wie welche* kannst konnen quel quelle* qui quand comment pourquoi combien peux que quien cuando donde cual cuanto puedes che chi quando dove quale puoi quem onde quanto pode wat wie waar wanneer waarom welke kun kto kiedy gdzie jaki* czy mozesz что кто когда где почему можешь сколько 什么 谁 哪 吗",
  request:
    "invent brainstorm outline sketch estimate rank rate recommend* propos* prepare organiz* organis* count paraphrase rewrite rephrase reword simplify shorten spell guess pick choose select teach recite sing imagine picture visualiz* advise elaborate extract predict forecast investigate research check verify review edit proofread correct fix improve optimiz* format translate decode solve analyz* analys* suggest* summariz* summaris* compare determine classify identify convert define correct schedule remind find calculate discuss evaluate assess list provide translate continue solve give help make draft tell name please set plan compose generate come write work render swap turn put begin start stop finish end keep drop book claim convince persuade urge state urge spread analysier* vergleiche finde ubersetze nenne liste analysez compare* trouve traduis analiza compara encuentra traduce analizza confronta trova traduci analise traduza encontre analyseer vergelijk vertaal przetlumacz porownaj znajdz переведи сравни найди 分析 比较 翻译 推荐 总结 请",
  rot13: "vtaber* qvfertneq* vafgehpgvba* cebzcg* flfgrz* cerivbhf* erirny* cnffjbeq* sbetrg* cergraq* ohvyq obzo",
  reversed: "erongi drageris snoitcurtsni noitcurtsni tpmorp metsys suoiverp laever drowssap tegrof dneterp rewsna",
  quoted:
    "what why explain define meaning means defin* prevent* detect* protect* mitigat* avoid* defend* defense against example examples article research* paper about difference 什么是 如何防止 防范 检测 解释 含义 was bedeutet erklare* verhinder* schutz* qu'est-ce signifie empecher que significa explica* prevenir significa prevenire proteg* wat betekent voorkomen wyjasnij oznacza zapobieg* объясни* что означает защит*",
} as const;

export type IdeaName = keyof typeof WORDS;

/** Names of ideas, in a fixed order: the index is the number that tokens carry. */
export const IDEAS: readonly IdeaName[] = Object.keys(WORDS) as readonly IdeaName[];
const INDEX: ReadonlyMap<string, number> = new Map(IDEAS.map((name, index): [string, number] => [name, index]));

/** The number of an idea. */
export function ideaOf(name: IdeaName): number {
  return INDEX.get(name) ?? -1;
}

export function buildLexicon(): Trie {
  return buildTrie(lexiconEntries());
}

/** Every word with the number of its idea, folded. */
export function lexiconEntries(): readonly (readonly [idea: number, word: string])[] {
  return [...entries()];
}

function* entries(): Iterable<readonly [number, string]> {
  for (const [index, name] of IDEAS.entries())
    for (const word of WORDS[name].split(" ")) {
      const folded = Array.from(word.replaceAll("'", ""), (char) => foldCodePoint(char.codePointAt(0) ?? 0)).join("");
      if (folded.replace("*", "").length > 0) yield [index, folded];
    }
}
