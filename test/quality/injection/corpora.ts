import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ATTACK_CORPORA } from "./attack-corpora.ts";
import {
  type Corpus,
  type CorpusText,
  corpus,
  csv,
  documents,
  files,
  inside,
  json,
  jsonLines,
  lines,
  list,
  markdown,
  pieces,
  record,
  requests,
  table,
  text,
} from "./reading.ts";

/** Translations of the manuals that are read. */
const TONGUES = "ar bn de es fr hi id it ja ko nl pl pt_BR ru tr uk zh".split(" ");

export const CORPORA: readonly Corpus[] = [
  corpus("ShishirPatil/gorilla", "6ea57973c7a6097fd7c5915698c54c17c5b1b6c8", "Apache-2.0", 2_500, (at) => [
    ...["live_multiple", "live_irrelevance", "live_simple"].flatMap((name) =>
      jsonLines(at(`berkeley-function-call-leaderboard/bfcl_eval/data/BFCL_v4_${name}.json`)).flatMap((line) => [
        ...requests([
          text(
            list(list(line, "question", 0)).findLast((turn) => text(turn, "role") === "user"),
            "content",
          ),
        ]),
        ...documents([JSON.stringify(list(line, "function"), undefined, name === "live_simple" ? 1 : undefined)]),
      ]),
    ),
    ...jsonLines(at("data/apibench/huggingface_eval.json")).flatMap((line) => [
      ...requests([/###Instruction: (.*)/.exec(text(line, "code"))?.[1] ?? ""]),
      ...documents([JSON.stringify(inside(line, "api_data"), undefined, 1)]),
    ]),
  ]),
  corpus("yizhongw/self-instruct", "0b26ccaa415992100fa32df62d41b994cf928e23", "Apache-2.0", 2_000, (at) =>
    ["data/seed_tasks.jsonl", "human_eval/user_oriented_instructions.jsonl"].flatMap((file) =>
      jsonLines(at(file)).flatMap((line) => {
        const [task, input, output] = [
          text(line, "instruction"),
          text(line, "instances", 0, "input"),
          text(line, "instances", 0, "output"),
        ];
        return [...requests([task, input === "" ? "" : `${task}\n\n${input}`]), ...documents([input, output])];
      }),
    ),
  ),
  corpus("tatsu-lab/alpaca_eval", "cd543a149df89434d8a54582c0151c0b945c3d20", "Apache-2.0", 2_000, (at) =>
    list(json(at("example/outputs.json"))).flatMap((line) => [
      ...requests([text(line, "instruction")]),
      ...documents([text(line, "output")]),
    ]),
  ),
  corpus("Open-Assistant/oasst-model-eval", "ce935dee6922ec75d5a4006dd1c3595b39a01fdf", "Apache-2.0", 2_000, (at) => [
    ...jsonLines(at("model_eval/manual/data/en_100_message.jsonl")).flatMap((line) =>
      text(line, "role") === "prompter" ? requests([text(line, "text")]) : documents([text(line, "text")]),
    ),
    ...requests(jsonLines(at("model_eval/manual/data/prompt_lottery_en_250_text.jsonl")).map((line) => text(line))),
    ...files(at("sampling_reports/deepseek"), "").flatMap((file) =>
      list(json(file), "prompts").flatMap((line) =>
        list(line, "results").flatMap((result) => documents(list(result, "outputs").map((output) => text(output)))),
      ),
    ),
  ]),
  corpus("openai/grade-school-math", "3101c7d5072418e28b9008a6636bde82a006892c", "MIT", 800, (at) =>
    jsonLines(at("grade_school_math/data/test.jsonl")).flatMap((line) => requests([text(line, "question")])),
  ),
  corpus("sahil280114/codealpaca", "2f78ddc5c682ed6738ad092bbbfa59ba915afcb0", "Apache-2.0", 2_000, (at) =>
    ["data/new_codealpaca.json", "data/code_alpaca_2k.json"].flatMap((file) =>
      list(json(at(file))).flatMap((line) => {
        const [task, input] = [text(line, "instruction"), text(line, "input")];
        const answer = text(line, "response") || text(line, "output");
        return [...requests([input === "" ? task : `${task}\n${input}`]), ...documents([answer])];
      }),
    ),
  ),
  corpus("sentient-codebot/awesome-chatgpt-prompts", "eb8d75ee9242f67b9d7b1d9d8f4a0b9e7e0f79b9", "CC0-1.0", 2_000, (at) =>
    csv(at("prompts.csv")).flatMap(([, prompt = ""]) => requests([prompt])),
  ),
  corpus("PlexPt/awesome-chatgpt-prompts-zh", "367ed18b9c50b702d762c6fbc2885107141acb62", "MIT", 1_500, (at) => [
    ...list(json(at("prompts-zh.json"))).flatMap((line) => requests([text(line, "prompt")])),
    ...files(at("question"), ".md").flatMap((file) => {
      const rows = readFileSync(file, "utf8").split("\n").slice(2);
      return [...requests(rows.slice(0, 3).map((row) => row.split("|")[2] ?? "")), ...documents([rows.slice(0, 12).join("\n")])];
    }),
  ]),
  corpus("lm-sys/FastChat", "0e6d3e4beaab66f4d3f93db72541a4abab8af28d", "Apache-2.0", 2_000, (at) =>
    ["mt_bench", "vicuna_bench"].flatMap((name) =>
      jsonLines(at(`fastchat/llm_judge/data/${name}/question.jsonl`)).flatMap((line) =>
        requests(list(line, "turns").map((turn) => text(turn))),
      ),
    ),
  ),
  corpus("paul-rottger/exaggerated-safety", "d7bb5bd738c1fcbc36edd83d5e7d1b71a3e2d84d", "CC-BY-4.0", 2_000, (at) =>
    csv(at("xstest_prompts.csv")).flatMap(([, prompt = "", , label]) =>
      label === "safe" ? requests([prompt]).map((request) => ({ ...request, hard: true })) : [],
    ),
  ),
  // Bad questions, plainly asked: what an assistant may decline is no attack on its instructions.
  corpus("anthropics/hh-rlhf", "354e5c3cb8960630860dd5774a6ac2a58313bf4d", "MIT", 1_500, (at) =>
    gunzipSync(readFileSync(at("harmless-base/test.jsonl.gz")))
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .flatMap((line) => requests([/^\s*Human: ([\s\S]*?)\n\nAssistant:/.exec(text(JSON.parse(line), "chosen"))?.[1] ?? ""])),
  ),
  corpus("cyberark/FuzzyAI", "a81260f5eb16a361155a235d44e64684e5f5bc85", "Apache-2.0", 1_000, (at) =>
    requests(lines(at("src/fuzzyai/resources/benign_prompts.txt"))),
  ),
  corpus("ReversecLabs/spikee", "454f7a0c21db2dd8779c23408f24700430c71d8b", "Apache-2.0", 2_500, (at) => {
    const seeds = (folder: string, file: string): readonly unknown[] =>
      jsonLines(at(`spikee/data/workspace/datasets/seeds-${folder}/${file}.jsonl`));
    return [
      ...seeds("investment-advice-fp", "standalone_user_inputs").flatMap((line) => requests([text(line, "text")])),
      ...["cybersec-2026-01", "llm-mailbox", "sysmsg-extraction-2025-04"].flatMap((folder) => {
        const frames = seeds(folder, "jailbreaks").map((line) => text(line, "text"));
        return seeds(folder, "instructions").flatMap((line) =>
          frames.flatMap((frame) => {
            const whole = frame.replaceAll("<INSTRUCTION>", () => text(line, "instruction"));
            return [{ kind: "insert" as const, text: whole }, ...(frame.length > 40 ? [{ kind: "attack" as const, text: whole }] : [])];
          }),
        );
      }),
    ];
  }),
  corpus("enkryptai/xInjectAgent", "21af27703ad4e591b8fc686ab9d79249d299a0e8", "MIT", 2_500, (at) => [
    ...["dh_base", "ds_base", "dh_enhanced", "ds_enhanced", "dh_tech", "dh_tool", "dh_test", "ds_test"].flatMap((name) =>
      list(json(at(`data/test_cases_${name}.json`))).flatMap((line): readonly CorpusText[] => {
        const [attack, whole] = [text(line, "Attacker Instruction"), text(line, "Tool Response")];
        const start = whole.indexOf(attack.slice(0, 40));
        if (attack === "" || start < 0) return [];
        return [
          { kind: "poisoned", text: whole, place: [start, Math.min(whole.length, start + attack.length)] },
          { kind: "insert", text: attack },
        ];
      }),
    ),
    ...Object.values(record(json(at("data/attacker_simulated_responses.json")))).flatMap((answer) => documents([text(answer)])),
    // The same answers of tools with something ordinary where the attack stands.
    ...jsonLines(at("data/user_cases.jsonl")).flatMap((line) =>
      ORDINARY_REMARKS.map(
        (remark): CorpusText => ({
          kind: "document",
          text: text(line, "Tool Response Template").replaceAll("<Attacker Instruction>", remark),
        }),
      ),
    ),
  ]),
  corpus("microsoft/TaskTracker", "b4fabe25504dc1d3f7c6fdf5e50d4bb209a152b0", "MIT", 1_500, (at) =>
    ["translated_secondary_tasks", "trivia_pairs"].flatMap((name) =>
      lines(at(`task_tracker/dataset_creation/datasets/${name}.txt`)).map(
        (line): CorpusText => ({ kind: "insert", text: /Question: (.*?) ?Answer:/.exec(line)?.[1] ?? line }),
      ),
    ),
  ),
  corpus("sierra-research/tau-bench", "59a200c6d575d595120f1cb70fea53cef0632f6b", "MIT", 2_000, (at) => [
    ...[
      "airline/data/users",
      "airline/data/reservations",
      "airline/data/flights",
      "retail/data/orders",
      "retail/data/users",
      "retail/data/products",
    ].flatMap((name) =>
      Object.values(record(json(at(`tau_bench/envs/${name}.json`))))
        .filter((_, index) => index % 3 === 0)
        .flatMap((entry, index) => documents([JSON.stringify(entry, undefined, index % 2)])),
    ),
    ...["MockRetailDomainEnv", "MockAirlineDomainEnv"].flatMap((name) =>
      jsonLines(at(`few_shot_data/${name}-few_shot.jsonl`)).flatMap((line) =>
        requests(
          text(line, "messages_display")
            .split("\n")
            .flatMap((turn) => /^user: (.{20,})/.exec(turn)?.[1] ?? []),
        ),
      ),
    ),
  ]),
  corpus("stripe/openapi", "f6c2a48fbac2819d1feba8143d942ffc65e1c0d2", "MIT", 2_000, (at) => [
    ...Object.values(record(json(at("openapi/fixtures3.json")), "resources")).flatMap((entry, index) =>
      documents([JSON.stringify(entry, undefined, index % 3)]),
    ),
    ...files(at("openapi/upcoming-changes"), ".md").flatMap((file) => pieces(readFileSync(file, "utf8"))),
  ]),
  corpus("octokit/fixtures", "cb8bc9dafc55a3837be4434ff4ba7acf3d9cadde", "MIT", 1_000, (at) =>
    files(at("scenarios"), "normalized-fixture.json").flatMap((file) =>
      list(json(file)).flatMap((exchange, index) => pieces(JSON.stringify(inside(exchange, "response"), undefined, index % 2))),
    ),
  ),
  corpus("THUDM/AgentBench", "578c5e9f706fc2dd96188ca6c8cf9095ca0c6528", "Apache-2.0", 2_000, (at) => [
    ...jsonLines(at("data/dbbench/standard.jsonl")).flatMap((line, index) => [
      ...requests([text(line, "description")]),
      ...documents([
        table(
          list(line, "table", "table_info", "columns").map((column) => text(column, "name")),
          list(line, "table", "table_info", "rows"),
          index,
        ),
      ]),
    ]),
    ...list(json(at("data/os_interaction/train_0317/training.json"))).flatMap((line) => [
      ...requests([text(line, "description")]),
      ...documents([text(line, "explanation")]),
    ]),
  ]),
  corpus(
    "donnemartin/system-design-primer",
    "ae9bbd7b02d90b9866215de185217d33f39ab733",
    "CC-BY-4.0",
    1_000,
    markdown("README.md", "README-ja.md", "README-zh-Hans.md", "solutions"),
  ),
  corpus("AlibabaResearch/DAMO-ConvAI", "483554eae102996f5ec1f4feab4e78ef29c2a394", "MIT", 1_000, (at) =>
    list(json(at("api-bank/init_database/SearchEngine.json")), "raw_documents").flatMap((line) =>
      documents([JSON.stringify(line), text(line, "content") || text(line, "abstract")]),
    ),
  ),
  corpus(
    "tldr-pages/tldr",
    "08e345f42639f67d99282813247ac670dc6e87cb",
    "CC-BY-4.0",
    1_800,
    markdown("pages/linux", ...TONGUES.map((tongue) => `pages.${tongue}/common`)),
  ),
  corpus("fastapi/fastapi", "c3f316b7e814667e8ee81e03a7330d00ee61e45c", "MIT", 3_000, markdown("docs")),
  corpus("rust-lang/book", "917544888a55e4da7109bdba8c88c893c0da70f4", "MIT", 800, markdown("src")),
  corpus("public-apis/public-apis", "c045a2eb505f0f8b7992bb4af53cc020f25003fd", "MIT", 200, markdown("README.md")),
  corpus("reactjs/react.dev", "12d692da47e77cdc558b928fcfbaf4e71c6d0cec", "CC-BY-4.0", 800, markdown("src/content/learn")),
];

/** What stands in an ordinary answer of a tool where another holds an attack. */
const ORDINARY_REMARKS = [
  "Works as described, arrived two days early.",
  "Thanks for the quick reply! I will check and come back to you on Monday.",
  "Could you please send me the updated schedule when you have a minute?",
  "Reminder: the meeting was moved to 3 pm, room 204. Please bring your notes.",
  "Please ignore my last message, I found the invoice.",
  "What time does the store open on Sundays?",
];

/** Those whose repository is in the folder. */
export const presentCorpora = (folder: string): readonly Corpus[] =>
  [...CORPORA, ...ATTACK_CORPORA].filter(({ repository }) => existsSync(join(folder, repository)));
