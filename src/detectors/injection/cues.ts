import type { Census } from "./census.ts";
import type { Family } from "./families.ts";
import { createNeedles, type Needles } from "./needles.ts";

/**
 * Shapes in the text as it was written, before folding: borders of chat templates, forged headers, hidden markup, links that carry data.
 * Each pattern is linear: bounded repeats, no nesting.
 */
export interface Cue {
  readonly name: string;
  /** undefined: no sign by itself, only beside ideas. */
  readonly family: Family | undefined;
  readonly pattern: RegExp;
  /** One of these, lower case, must be in the folded text; it is looked for before the pattern, which costs more. */
  readonly needs: readonly string[];
  /** Whether a text with these signs may have it: looked at before all, since most texts may not. */
  readonly may: (census: Census, part: string) => boolean;
}

/** Signs of which the pattern needs one, where the text is plain ASCII; else letters of other scripts may stand for them. */
const one =
  (signs: string) =>
  ({ plain, count }: Census): boolean =>
    !plain || count(signs) > 0;
const always = (): boolean => true;

const cue = (
  name: string,
  family: Family | undefined,
  needs: string,
  pattern: RegExp,
  may: (census: Census, part: string) => boolean,
): Cue => ({
  name,
  family,
  pattern,
  needs: needs.split("\t"),
  may,
});

/** Sources: the published chat templates of OpenAI (ChatML, Harmony), Llama 2 to 4, Mistral, Gemma, Phi, Qwen, DeepSeek, Claude, Command R. */
export const CUES: readonly Cue[] = [
  cue(
    "template_token",
    "role_forging",
    "<|\t_of_turn\t<｜\t[inst\t[/inst\t_prompt]\t<sys\t/sys\t_tools]\t_results]",
    /<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|eot_id|eom_id|start_header_id|end_header_id|begin_of_text|start|message|channel|end|return|python_tag|tool|START_OF_TURN_TOKEN|END_OF_TURN_TOKEN)\|>|<(?:start|end)_of_turn>|<｜[^｜\n]{1,30}｜>|\[\/?INST\]|\[\/?SYSTEM_PROMPT\]|<<\/?SYS>>|\[\/?(?:AVAILABLE_TOOLS|TOOL_RESULTS)\]/g,
    one("<["),
  ),
  cue(
    "role_tag",
    "role_forging",
    "<",
    /<\/?(?:system|assistant|user|human|developer|admin|instructions?|system[_-](?:prompt|message|instructions?|reminder)|untrusted[_-]?\w{0,16}|tool_(?:result|response|output)|function_(?:results?|calls)|invoke|answer|document|context|data)(?: [^<>\n]{0,60})?>/gi,
    one("<"),
  ),
  cue(
    "role_header",
    "role_forging",
    "system\tassistant\tdeveloper\tadmin\t系统",
    /(?:^|\n)[ \t>*#"'[({-]{0,6}(?:system|assistant|developer|sysadmin|admin|系统|系统提示|system ?(?:message|prompt|note|override|instruction|alert|notice|update|admin))[\]*"')}]{0,4} ?[:：]/gi,
    one(":"),
  ),
  cue(
    "bracket_header",
    "role_forging",
    "[\t{\t(",
    /[[{(]{1,3} ?(?:system|admin|developer|root|internal|instructions?|override|ignore|new|note to (?:ai|llm|assistant|model)s?)[ _-]?(?:message|prompt|note|override|instructions?|update|admin|mode|command|error|log)? ?[:\]})]/gi,
    one("[{("),
  ),
  cue(
    "markdown_header",
    undefined,
    "#",
    /(?:^|\n)#{1,6} ?(?:instructions?|system|response|new instructions?|task|input|assistant|human|user)\b ?:?/gi,
    one("#"),
  ),
  cue(
    "separator",
    undefined,
    "-----\t=====\t*****\t#####\t_____\t~~~~~\t+++++\tend of\tstart of\tbegin of\tbeginning of",
    /(?<![-=*#_~+])[-=*#_~+]{5,200} ?(?:end|begin|start|stop|new|ignore|\/)|(?:\bend of|\bbegin(?:ning)? of|\bstart of) (?:the )?(?:document|context|text|user|input|data|prompt|message|email|file|conversation|output|system|tool)/gi,
    always,
  ),
  cue(
    "dialogue",
    "fake_turns",
    "assistant\tai\tbot\tgpt\ta:",
    /(?:^|\n)[ \t>*#]{0,4}(?:human|user|customer|q)\*{0,2} ?:[^\n]{0,400}\n[ \t\n>*#]{0,8}(?:assistant|ai|bot|chatgpt|gpt|a)\*{0,2} ?:/gi,
    one(":"),
  ),
  cue(
    "markup_comment",
    undefined,
    "<!--\t[//]\t[comment]\t{#\t/*\t<%--",
    /<!--|\[\/\/\]: ?#|\[comment\]: ?(?:#|<>)|\{#|\/\*|<%--/g,
    one("<[{/"),
  ),
  cue(
    "hidden_style",
    "hidden_text",
    "display\tvisibility\tfont-size\topacity\tcolor\tindent\taria-hidden\tleft\ttop",
    /(?:display ?: ?none|visibility ?: ?hidden|font-size ?: ?(?:0|1px)\b|opacity ?: ?0(?:[;"' ]|$)|color ?: ?(?:white|transparent|#fff\b|#ffffff)|(?:left|top|text-indent) ?: ?-\d{3,6}(?:px|em)|aria-hidden ?= ?"?true)/gi,
    one(":="),
  ),
  cue(
    "alt_text",
    undefined,
    "![\talt\ttitle\taria-label",
    /!\[[^\]\n]{30,400}\]\(|\b(?:alt|title|aria-label) ?= ?["'][^"'\n]{40,400}["']/gi,
    one("!="),
  ),
  cue(
    "data_link",
    "exfiltration",
    "](",
    /!\[[^\]\n]{0,100}\]\(\s?https?:\/\/[^\s)]{1,200}[?&/=][^\s)]{0,60}(?:\{|\[|<|%7b|\$|\b(?:data|secret|q|query|content|history|chat|conversation|token|key|msg|message|info|summary|d|p|leak)=)/gi,
    one("]"),
  ),
  cue(
    "template_url",
    "exfiltration",
    "http",
    /https?:\/\/[^\s"'<>)]{1,200}[?=/](?:\{|\[|<|\$\{|%s|INSERT|DATA|YOUR|SECRET|CONVERSATION)/g,
    one("/"),
  ),
  cue("url", undefined, "http\twww.", /https?:\/\/[^\s"'<>)]{3,200}|\bwww\.[a-z0-9-]{1,60}\.[a-z]{2,10}/gi, one("/.")),
  cue("email", undefined, "@", /@[\w-]{1,60}\.[a-z]{2,12}/gi, one("@")),
  cue(
    "placeholder",
    "persona",
    "[\t{",
    /\[(?:insert|your|my|type|put|enter)?[ _]{0,2}(?:the |your |my )?(?:prompt|question|query|text|input|request|user)[ _]{0,2}(?:here|prompt)?\]|\{\{? ?(?:user|prompt|query|question|input)[ _]?(?:prompt|query|input)? ?\}?\}/gi,
    one("[{"),
  ),
  cue(
    "ai_address",
    undefined,
    "ai\ta.i.\tllm\tgpt\tmodel\tassistant\tbot\tclaude\tgemini\tcopilot",
    /\b(?:dear|hey|hello|hi|attention|note to|message (?:to|for)|instructions? (?:to|for)|if you are|as)[ ,]{1,3}(?:an? |the |any |all )?(?:ai|a\.i\.|llm|chatgpt|gpt(?:-\d)?|language model|assistant|chatbot|bot|claude|gemini|copilot)s?\b/gi,
    always,
  ),
  cue(
    "prefixed_answer",
    "persona",
    "[\t(\t\"\t'",
    /[[("'](?:\u{1f513}|\u{1f512}|gpt|chatgpt|dan|classic|jailbreak|normal|stan|dude)[^\])"'\n]{0,20}[\])"'] ?:?/giu,
    one(`[("'`),
  ),
  cue(
    "shell_danger",
    undefined,
    "rm -\t/etc/\tnc -\t/bin/\tbash\tcurl \tbase64\tdup2\tos.system\tsubprocess\trequests.\tpynput\tfork(\tshutil\tauthorized_keys\twhile true",
    /\brm -[rf]{1,3}\b|\/etc\/(?:passwd|shadow|hosts)|\bnc -[el]|\/bin\/(?:ba)?sh|bash -[ic]|curl [^\n|]{3,200}\| ?(?:ba|z)?sh|base64 -d|dup2\(|os\.system|subprocess|requests\.post|pynput|fork\(\)|shutil\.rmtree|authorized_keys|while True:/gi,
    always,
  ),
  cue("code_fence", undefined, "```", /```/g, one("`")),
  cue("binary", "encoded_payload", "0", /\b[01]{7,8}(?: [01]{7,8}){5,200}/g, ({ hex }) => hex >= 42),
  cue(
    "glued",
    undefined,
    "",
    /\w[\])}]{1,3}[[({]{1,3}\w?|\\[({"'+]|[^\s\w]{5,12}|\w\.\w{3,20}\(?\{|\w[([{][A-Z]/g,
    ({ signs, count }, part) => signs >= 5 || count("[]{}\\") > 0 || (count("(") > 0 && /\)\(|\w\([A-Z]/.test(part)),
  ),
];

/** The cues whose needs a folded text has, as bits by their places in `CUES`. */
export const createCueNeedles = (): Needles => createNeedles(CUES.map(({ needs }) => needs));
